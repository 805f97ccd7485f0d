using System.Runtime.InteropServices;

namespace Sluice.Compute.Cuda.Interop;

/// <summary>
/// NVRTC, CUDA's run-time compiler, 12.4 or newer. A program is <see cref="nint"/>; results are <c>nvrtcResult</c>, 0 is success.
/// Loaded at first use; safe for several threads, each with its own programs.
/// </summary>
internal sealed unsafe class Nvrtc
{
    public const int CompilationError = 6;

    private static readonly Lazy<Nvrtc> Loaded = new(() => new Nvrtc(NativeLibraryLocator.Default.Load(NativeLibraryNames.Nvrtc)));

    public readonly delegate* unmanaged<nint*, byte*, byte*, int, byte**, byte**, int> CreateProgram;
    public readonly delegate* unmanaged<nint, int, byte**, int> CompileProgram;
    public readonly delegate* unmanaged<nint*, int> DestroyProgram;
    public readonly delegate* unmanaged<nint, nuint*, int> GetProgramLogSize;
    public readonly delegate* unmanaged<nint, byte*, int> GetProgramLog;
    public readonly delegate* unmanaged<nint, nuint*, int> GetCubinSize;
    public readonly delegate* unmanaged<nint, byte*, int> GetCubin;
    public readonly delegate* unmanaged<nint, nuint*, int> GetPtxSize;
    public readonly delegate* unmanaged<nint, byte*, int> GetPtx;

    private readonly delegate* unmanaged<int, byte*> _getErrorString;

    private Nvrtc(NativeExports exports)
    {
        var getVersion = (delegate* unmanaged<int*, int*, int>)exports["nvrtcVersion"];
        int major, minor;
        if (getVersion(&major, &minor) != 0 || major < 12 || (major == 12 && minor < 4))
        {
            throw new CudaUnavailableException($"NVRTC {major}.{minor} ({exports.Path}) is too old, Sluice needs 12.4; {NativeLibraryNames.Nvrtc.Fix}.");
        }

        Major = major;
        Minor = minor;
        Path = exports.Path;
        CreateProgram = (delegate* unmanaged<nint*, byte*, byte*, int, byte**, byte**, int>)exports["nvrtcCreateProgram"];
        CompileProgram = (delegate* unmanaged<nint, int, byte**, int>)exports["nvrtcCompileProgram"];
        DestroyProgram = (delegate* unmanaged<nint*, int>)exports["nvrtcDestroyProgram"];
        GetProgramLogSize = (delegate* unmanaged<nint, nuint*, int>)exports["nvrtcGetProgramLogSize"];
        GetProgramLog = (delegate* unmanaged<nint, byte*, int>)exports["nvrtcGetProgramLog"];
        GetCubinSize = (delegate* unmanaged<nint, nuint*, int>)exports["nvrtcGetCUBINSize"];
        GetCubin = (delegate* unmanaged<nint, byte*, int>)exports["nvrtcGetCUBIN"];
        GetPtxSize = (delegate* unmanaged<nint, nuint*, int>)exports["nvrtcGetPTXSize"];
        GetPtx = (delegate* unmanaged<nint, byte*, int>)exports["nvrtcGetPTX"];
        _getErrorString = (delegate* unmanaged<int, byte*>)exports["nvrtcGetErrorString"];
    }

    /// <exception cref="CudaUnavailableException">The library is missing or too old.</exception>
    public static Nvrtc Api => Loaded.Value;

    public int Major { get; }

    public int Minor { get; }

    /// <summary>The file or loader name that was loaded.</summary>
    public string Path { get; }

    public string ErrorName(int result) => Marshal.PtrToStringUTF8((nint)_getErrorString(result)) ?? $"nvrtcResult {result}";
}

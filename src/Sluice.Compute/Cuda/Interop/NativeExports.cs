using System.Runtime.InteropServices;

namespace Sluice.Compute.Cuda.Interop;

/// <summary>A library's functions by name.</summary>
/// <param name="path">The file, or the name that the loader found.</param>
/// <param name="library">What it is.</param>
/// <param name="find">Address of a function; 0 when there is none.</param>
internal sealed class NativeExports(string path, NativeLibraryName library, Func<string, nint> find)
{
    /// <summary>Of a loaded library; libraries are never unloaded.</summary>
    public NativeExports(nint handle, string path, NativeLibraryName library)
        : this(path, library, function => NativeLibrary.TryGetExport(handle, function, out nint address) ? address : 0)
    {
    }

    public string Path { get; } = path;

    /// <exception cref="CudaUnavailableException">The library lacks the function, so it is too old.</exception>
    public nint this[string function] => find(function) is not 0 and nint address
        ? address
        : throw new CudaUnavailableException($"{library.Title} ({Path}) has no function {function}, it is too old, Sluice needs CUDA 12.4; {library.Fix}.");
}

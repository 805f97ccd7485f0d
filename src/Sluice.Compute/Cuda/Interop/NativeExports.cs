using System.Runtime.InteropServices;

namespace Sluice.Compute.Cuda.Interop;

/// <summary>A loaded library and its functions by name. Libraries are never unloaded.</summary>
internal sealed class NativeExports(nint handle, string path, NativeLibraryName library)
{
    /// <summary>The file, or the name that the loader found.</summary>
    public string Path { get; } = path;

    /// <exception cref="CudaUnavailableException">The library lacks the function, so it is too old.</exception>
    public nint this[string function] => NativeLibrary.TryGetExport(handle, function, out nint address)
        ? address
        : throw new CudaUnavailableException($"{library.Title} ({Path}) has no function {function}, it is too old, Sluice needs CUDA 12.4; {library.Fix}.");
}

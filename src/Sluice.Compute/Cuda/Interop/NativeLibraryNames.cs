namespace Sluice.Compute.Cuda.Interop;

/// <summary>How one library is called and how people get it.</summary>
/// <param name="Title">What messages call it.</param>
/// <param name="Stem">Linux file name up to <c>.so</c>.</param>
/// <param name="WindowsPatterns">Windows file names by major version, newest first.</param>
/// <param name="Majors">Accepted major versions in the file name, newest first.</param>
/// <param name="WheelFolder">Folder of the CUDA 12 wheel under <c>site-packages/nvidia</c>; null for the driver, which comes by itself.</param>
/// <param name="Fix">What to do when it is missing or too old; no full stop.</param>
internal sealed record NativeLibraryName(
    string Title, string Stem, IReadOnlyList<string> WindowsPatterns, IReadOnlyList<int> Majors, string? WheelFolder, string Fix)
{
    /// <summary>It comes with CUDA toolkits and wheels; the driver's does not.</summary>
    public bool IsOfToolkit => WheelFolder is not null;

    /// <summary>Names for the loader, newest first.</summary>
    public IEnumerable<string> LoaderNames(IEnumerable<int> majors) =>
        OperatingSystem.IsWindows() ? WindowsPatterns.Where(name => !name.Contains('*')) : majors.Select(FileName);

    /// <summary>The Linux file name of a major version.</summary>
    public string FileName(int major) => $"{Stem}.so.{major}";
}

/// <summary>The libraries that the CUDA backend loads at run time.</summary>
internal static class NativeLibraryNames
{
    public static readonly NativeLibraryName Driver = new(
        "The NVIDIA driver library", "libcuda", ["nvcuda.dll"], [1], WheelFolder: null,
        "install the NVIDIA driver 550 or newer (Ubuntu: sudo apt install nvidia-driver-550-server; Debian: sudo apt install nvidia-driver), start a container with --gpus all, or use --device cpu");

    public static readonly NativeLibraryName Nvrtc = new(
        "NVRTC", "libnvrtc", ["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"], [13, 12], "cuda_nvrtc",
        "install it with `pip install nvidia-cuda-nvrtc-cu12` or, on Debian and Ubuntu, `sudo apt install libnvrtc12` (cuda-nvrtc-12-8 from NVIDIA's repository), or use --device cpu");

    public static readonly NativeLibraryName CublasLt = new(
        "cuBLASLt", "libcublasLt", ["cublasLt64_13.dll", "cublasLt64_12.dll"], [13, 12], "cublas",
        "install it with `pip install nvidia-cublas-cu12` or, on Debian and Ubuntu, `sudo apt install libcublaslt12` (libcublas-12-8 from NVIDIA's repository), or use --device cpu");
}

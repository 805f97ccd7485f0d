using Sluice.Compute.Cuda;
using Sluice.Compute.Cuda.Interop;

namespace Sluice.Compute.Tests.Cuda;

/// <summary>Searching in folders made for the test; a shared library of the C runtime stands for those of CUDA.</summary>
public sealed class NativeLibraryLocatorTests : IDisposable
{
    private readonly string _root = Path.Combine(Path.GetTempPath(), "sluice-libraries-" + Guid.NewGuid().ToString("N"));
    private readonly Dictionary<string, string> _variables = [];

    public NativeLibraryLocatorTests()
    {
        Directory.CreateDirectory(_root);
        Assert.SkipWhen(OperatingSystem.IsWindows(), "the folders are those of Linux");
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Load_NothingThere_SaysWhatWhereAndTheFixOnOneLine()
    {
        _variables["CUDA_HOME"] = _root + "/cuda";
        _variables["VIRTUAL_ENV"] = _root + "/venv";
        string message = Assert.Throws<CudaUnavailableException>(() => Locator().Load(NativeLibraryNames.Nvrtc)).Message;

        Assert.StartsWith("NVRTC (libnvrtc.so.13 or libnvrtc.so.12) was not found in ", message, StringComparison.Ordinal);
        Assert.Contains("CUDA_HOME=" + _root + "/cuda", message, StringComparison.Ordinal);
        Assert.Contains("VIRTUAL_ENV=" + _root + "/venv", message, StringComparison.Ordinal);
        Assert.Contains(_root + "/toolkit", message, StringComparison.Ordinal);
        Assert.Contains("pip install nvidia-cuda-nvrtc-cu12", message, StringComparison.Ordinal);
        Assert.Contains("apt install libnvrtc12", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Load_NoDriver_SaysHowToGetOne()
    {
        string message = Assert.Throws<CudaUnavailableException>(() => Locator().Load(NativeLibraryNames.Driver)).Message;
        Assert.StartsWith("The NVIDIA driver library (libcuda.so.1) was not found in ", message, StringComparison.Ordinal);
        Assert.Contains("--gpus all", message, StringComparison.Ordinal);
        Assert.Contains("--device cpu", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("home/lib64/libnvrtc.so.12")]
    [InlineData("home/targets/x86_64-linux/lib/libnvrtc.so.12.8.93")]
    [InlineData("venv/lib/python3.12/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12")]
    [InlineData("venv/lib/python3.12/site-packages/nvidia/cu13/lib/libnvrtc.so.13")]
    [InlineData("conda/lib/libnvrtc.so.12")]
    [InlineData("toolkit/lib64/libnvrtc.so.13")]
    [InlineData("distribution/libnvrtc.so.12")]
    [InlineData("python/lib/python3/dist-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12")]
    [InlineData("pyenv/versions/3.11.7/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12")]
    [InlineData("path/lib/python3.13/site-packages/nvidia/cu13/lib/libnvrtc.so.13")]
    public void Load_LibraryInAUsualPlace_IsFound(string place)
    {
        string file = Place(place);
        PointAtEverything();
        Assert.Equal(file, Locator().Load(NativeLibraryNames.Nvrtc).Path);
    }

    [Fact]
    public void Load_SeveralPlaces_TakesTheOneTheUserNamed()
    {
        Place("toolkit/lib64/libnvrtc.so.13");
        Place("venv/lib/python3.12/site-packages/nvidia/cu13/lib/libnvrtc.so.13");
        string named = Place("home/lib64/libnvrtc.so.12");
        PointAtEverything();
        Assert.Equal(named, Locator().Load(NativeLibraryNames.Nvrtc).Path);
    }

    [Fact]
    public void Load_SeveralVersions_TakesTheNewest()
    {
        Place("pyenv/versions/3.9.18/lib/python3.9/site-packages/nvidia/cu13/lib/libnvrtc.so.13");
        string newest = Place("pyenv/versions/3.13.0/lib/python3.13/site-packages/nvidia/cu13/lib/libnvrtc.so.13");
        Assert.Equal(newest, Locator().Load(NativeLibraryNames.Nvrtc).Path);
    }

    [Fact]
    public void Load_OldDriver_TakesTheLibraryThatItRuns()
    {
        Place("toolkit/lib64/libcublasLt.so.13");
        string older = Place("toolkit/lib64/libcublasLt.so.12");
        Assert.Equal(older, Locator(newestMajor: 12).Load(NativeLibraryNames.CublasLt).Path);
        Assert.EndsWith(".so.13", Locator(newestMajor: 13).Load(NativeLibraryNames.CublasLt).Path, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_BrokenFile_SaysWhichFile()
    {
        string file = Path.Combine(_root, "toolkit/lib64/libnvrtc.so.12");
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, "no library");
        string message = Assert.Throws<CudaUnavailableException>(() => Locator().Load(NativeLibraryNames.Nvrtc)).Message;
        Assert.StartsWith($"NVRTC lies in {file} and cannot be loaded: ", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Exports_MissingFunction_MeansTooOld()
    {
        Place("toolkit/lib64/libnvrtc.so.12");
        NativeExports exports = Locator().Load(NativeLibraryNames.Nvrtc);
        string message = Assert.Throws<CudaUnavailableException>(() => exports["nvrtcFromTheFuture"]).Message;
        Assert.Contains("nvrtcFromTheFuture", message, StringComparison.Ordinal);
        Assert.Contains("12.4", message, StringComparison.Ordinal);
    }

    private NativeLibraryLocator Locator(int newestMajor = 13) => new(
        new NativeSearch
        {
            Variable = _variables.GetValueOrDefault,
            Toolkits = [_root + "/toolkit"],
            LibraryFolders = [_root + "/distribution"],
            Pythons = [_root + "/python", _root + "/pyenv/versions/*"],
            UsesLoader = false,
        },
        newestMajor);

    private void PointAtEverything()
    {
        _variables["CUDA_HOME"] = _root + "/home";
        _variables["VIRTUAL_ENV"] = _root + "/venv";
        _variables["CONDA_PREFIX"] = _root + "/conda";
        _variables["PATH"] = _root + "/nothing:" + _root + "/path/bin";
        Directory.CreateDirectory(_root + "/path/bin");
        File.WriteAllText(_root + "/path/bin/python3", "");
    }

    private string Place(string path)
    {
        string file = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        string? runtime = Directory.GetFiles(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "libSystem.Native.so").FirstOrDefault();
        Assert.SkipWhen(runtime is null, "the runtime has no library of its own beside it");
        File.Copy(runtime!, file);
        return file;
    }
}

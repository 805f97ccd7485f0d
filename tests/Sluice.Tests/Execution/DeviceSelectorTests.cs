using Sluice.Compute;
using Sluice.Compute.Cpu;
using Sluice.Compute.Cuda;
using Sluice.Execution;
using Sluice.Models;

namespace Sluice.Tests.Execution;

public sealed class DeviceSelectorTests
{
    private static readonly EngineOptions Options = new() { Model = TestData.ReferenceModel("llama"), CpuThreads = 1 };
    private static readonly ModelConfig Config = ModelConfigReader.Read(Options.Model, null);

    [Fact]
    public void Create_Cpu_TakesItWithoutAWord()
    {
        (IBackend backend, EngineOptions options, string? notice) = DeviceSelector.Create(Options with { Device = DeviceKind.Cpu, DType = DType.Float32 }, Config);
        using (backend)
        {
            Assert.IsType<CpuBackend>(backend);
            Assert.Equal((DeviceKind.Cpu, DType.Float32, null), (options.Device, options.DType!.Value, notice));
        }
    }

    [Fact]
    public void Create_AutoOnAMachineWithoutAGpu_TakesTheCpuWithoutAWord()
    {
        Assert.SkipWhen(HasGpu() || File.Exists("/dev/nvidiactl"), "this machine has an NVIDIA GPU");
        (IBackend backend, EngineOptions options, string? notice) = DeviceSelector.Create(Options, Config);
        using (backend)
        {
            Assert.IsType<CpuBackend>(backend);
            Assert.Equal((DeviceKind.Cpu, null), (options.Device, notice));
        }
    }

    [Fact]
    public void Create_CudaOnAMachineWithoutAGpu_SaysWhatIsMissingInOneLine()
    {
        Assert.SkipWhen(HasGpu(), "this machine has an NVIDIA GPU");
        var error = Assert.Throws<UserErrorException>(() => DeviceSelector.Create(Options with { Device = DeviceKind.Cuda }, Config));
        Assert.StartsWith("--device cuda: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("--device cpu", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Create_AutoOnAGpu_TakesItWithTheModelsType()
    {
        Assert.SkipUnless(HasGpu(), "this machine has no NVIDIA GPU");
        (IBackend backend, EngineOptions options, string? notice) = DeviceSelector.Create(Options, Config with { StoredType = DType.Float32 });
        using (backend)
        {
            Assert.IsType<CudaBackend>(backend);
            Assert.Equal((DeviceKind.Cuda, DType.BFloat16, null), (options.Device, options.DType!.Value, notice));
        }
    }

    [Fact]
    public void Create_Float32OnCuda_SaysWhatToUse()
    {
        var error = Assert.Throws<UserErrorException>(
            () => DeviceSelector.Create(Options with { Device = DeviceKind.Cuda, DType = DType.Float32 }, Config));
        Assert.Equal(
            "--dtype float32: a GPU computes in bfloat16 or float16; use --dtype bfloat16, or --device cpu for float32.", error.Message);
    }

    [Theory]
    [InlineData(DType.Float16)]
    [InlineData(DType.Float32)]
    public void Create_OtherCacheTypeOnCuda_IsRefused(DType cacheType)
    {
        var error = Assert.Throws<UserErrorException>(
            () => DeviceSelector.Create(Options with { Device = DeviceKind.Cuda, DType = DType.BFloat16, KvCacheDType = cacheType }, Config));
        Assert.StartsWith($"--kv-cache-dtype {cacheType.Name()}: ", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(TestData.ProcessorReferenceModels), MemberType = typeof(TestData))]
    public void Create_CudaForAModelOfTheCpu_IsRefusedInOneLineBeforeTheDeviceIsAsked(string name)
    {
        ModelConfig config = ModelConfigReader.Read(TestData.ReferenceModel(name), null);
        var error = Assert.Throws<UserErrorException>(() => DeviceSelector.Create(Options with { Device = DeviceKind.Cuda }, config));
        Assert.StartsWith($"--device cuda: {config.Architecture} needs ", error.Message, StringComparison.Ordinal);
        Assert.EndsWith("; use --device cpu", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Theory]
    [MemberData(nameof(TestData.ProcessorReferenceModels), MemberType = typeof(TestData))]
    public void Create_AutoForAModelOfTheCpu_TakesTheCpuAndSaysSoWhereAGpuIsIdle(string name)
    {
        ModelConfig config = ModelConfigReader.Read(TestData.ReferenceModel(name), null);
        (IBackend backend, EngineOptions options, string? notice) = DeviceSelector.Create(Options, config);
        using (backend)
        {
            Assert.IsType<CpuBackend>(backend);
            Assert.Equal(DeviceKind.Cpu, options.Device);
            Assert.Equal(File.Exists("/dev/nvidiactl"), notice?.Contains(config.Architecture, StringComparison.Ordinal) ?? false);
        }
    }

    private static bool HasGpu()
    {
        try
        {
            return CudaDevice.Count() > 0;
        }
        catch (CudaUnavailableException)
        {
            return false;
        }
    }
}

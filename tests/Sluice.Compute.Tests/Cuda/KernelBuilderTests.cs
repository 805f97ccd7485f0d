using Sluice.Compute.Cuda;
using Sluice.Compute.Cuda.Interop;

namespace Sluice.Compute.Tests.Cuda;

/// <summary>The real compiler, where NVRTC is installed; it needs no GPU.</summary>
public sealed class KernelBuilderTests : IDisposable
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), "sluice-builder-" + Guid.NewGuid().ToString("N"));

    public static TheoryData<string> Sources => [.. KernelSource.All()];

    public void Dispose()
    {
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    [Theory]
    [MemberData(nameof(Sources))]
    public void Compile_KernelSource_GivesCodeForEveryChip(string source)
    {
        KernelCompiler compiler = CompilerOrSkip();
        KernelSource kernel = KernelSource.Load(source);
        KernelDefines[] samples = kernel.Samples.Count > 0 ? [.. kernel.Samples] : [KernelDefines.None];

        // The oldest chip, the newest and PTX see every sample; what lies between, and the other type, differ little.
        List<(int Chip, DType Type, KernelDefines Defines)> forms =
        [
            .. samples.SelectMany(sample => new[] { (80, DType.BFloat16, sample), (90, DType.BFloat16, sample), (100, DType.BFloat16, sample) }),
            (86, DType.BFloat16, samples[0]), (89, DType.BFloat16, samples[0]), (80, DType.Float16, samples[0]), (90, DType.Float16, samples[0]),
        ];
        Parallel.ForEach(forms, form =>
        {
            byte[] image = compiler.Compile(kernel, KernelTarget.For(form.Chip, form.Type), form.Defines);
            Assert.True(image.Length > 100);
            Assert.Equal(form.Chip < 100, image.AsSpan(0, 4).SequenceEqual("\u007fELF"u8));
        });
    }

    [Fact]
    public void Compile_Error_IsOneLineWithFileLineAndChip()
    {
        KernelCompiler compiler = CompilerOrSkip();
        KernelSource broken = KernelSource.FromText("Ops/Made.cu", "#include \"Types.cuh\"\nextern \"C\" __global__ void made(float* x) { *x = missing(1); }\n");
        string message = Assert.Throws<CudaException>(() => compiler.Compile(broken, KernelTarget.For(90, DType.BFloat16), KernelDefines.Parse("SIZE=3"))).Message;
        Assert.StartsWith("Compiling Ops/Made.cu for sm_90a with NVRTC ", message, StringComparison.Ordinal);
        Assert.Contains("(SIZE=3)", message, StringComparison.Ordinal);
        Assert.Contains("Ops/Made.cu(2): error", message, StringComparison.Ordinal);
        Assert.Contains("missing", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Build_SecondStart_CompilesNothing()
    {
        CompilerOrSkip();
        KernelTarget target = KernelTarget.For(90, DType.BFloat16);
        (string source, KernelDefines defines) = SomeKernel();
        var first = new KernelBuilder(new KernelCache(_folder));
        byte[] image = first.Build(source, target, defines);
        Assert.Equal((1, 0), (first.CompiledCount, first.CachedCount));
        Assert.Same(image, first.Build(source, target, defines));

        var second = new KernelBuilder(new KernelCache(_folder));
        Assert.Equal(image, second.Build(source, target, defines));
        Assert.Equal((0, 1), (second.CompiledCount, second.CachedCount));
    }

    [Fact]
    public void Build_BrokenEntry_IsCompiledAgain()
    {
        CompilerOrSkip();
        KernelTarget target = KernelTarget.For(90, DType.BFloat16);
        (string source, KernelDefines defines) = SomeKernel();
        byte[] image = new KernelBuilder(new KernelCache(_folder)).Build(source, target, defines);
        string file = Assert.Single(Directory.GetFiles(_folder));
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..200]);

        var again = new KernelBuilder(new KernelCache(_folder));
        Assert.Equal(image, again.Build(source, target, defines));
        Assert.Equal(1, again.CompiledCount);
        Assert.Equal(1, CountCached(source, target, defines));
    }

    [Fact]
    public void Start_ManyAtOnce_BuildsEachOnce()
    {
        CompilerOrSkip();
        KernelTarget target = KernelTarget.For(80, DType.Float16);
        (string source, KernelDefines defines) = SomeKernel();
        var builder = new KernelBuilder(new KernelCache(null), threadLimit: 2);
        KernelDefines[] forms = [.. Enumerable.Range(0, 6).Select(i => KernelDefines.Parse($"{defines.Text} FORM={i}"))];
        KernelBuild[] builds = [.. Enumerable.Range(0, 30).Select(i => builder.Start(source, target, forms[i % forms.Length]))];

        Assert.All(builds, build => Assert.NotEmpty(build.Result()));
        Assert.Equal(forms.Length, builder.CompiledCount);
        Assert.Equal(forms.Length, builds.Distinct().Count());
    }

    [Fact]
    public void Build_TwoBuildersOnOneFolder_AgreeOnTheResult()
    {
        CompilerOrSkip();
        KernelTarget target = KernelTarget.For(89, DType.BFloat16);
        (string source, KernelDefines defines) = SomeKernel();
        KernelBuilder[] builders = [new(new KernelCache(_folder)), new(new KernelCache(_folder))];
        KernelBuild[] builds = [.. builders.Select(builder => builder.Start(source, target, defines))];
        Assert.Equal(builds[0].Result(), builds[1].Result());
        Assert.Equal(1, CountCached(source, target, defines));
    }

    private int CountCached(string source, KernelTarget target, KernelDefines defines)
    {
        var builder = new KernelBuilder(new KernelCache(_folder));
        builder.Build(source, target, defines);
        return builder.CachedCount;
    }

    private static (string Source, KernelDefines Defines) SomeKernel()
    {
        string source = KernelSource.All()[0];
        return (source, KernelSource.Load(source).Samples.FirstOrDefault(KernelDefines.None));
    }

    private static KernelCompiler CompilerOrSkip()
    {
        try
        {
            return new KernelCompiler(Nvrtc.Api);
        }
        catch (CudaUnavailableException missing)
        {
            Assert.Skip(missing.Message);
            throw;
        }
    }
}

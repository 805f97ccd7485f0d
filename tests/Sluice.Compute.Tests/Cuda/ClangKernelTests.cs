using System.Diagnostics;
using Sluice.Compute.Cuda;

namespace Sluice.Compute.Tests.Cuda;

/// <summary>
/// Every kernel is C++ that an ordinary clang accepts, for the oldest and the newest kind of chip, without CUDA's headers. Continuous
/// integration has clang; elsewhere the tests skip.
/// </summary>
public sealed class ClangKernelTests
{
    private const int TimeoutMilliseconds = 120_000;

    private static readonly string[] Names = ["clang-19", "clang-20", "clang-21", "clang-22"];

    private static readonly Lazy<string?> Clang = new(Find);

    public static TheoryData<string> Sources => [.. KernelSource.All()];

    [Theory]
    [MemberData(nameof(Sources))]
    public void Clang_KernelSource_CompilesForEveryChipAndType(string source)
    {
        SkipWithoutClang();
        KernelSource kernel = KernelSource.Load(source);
        string folder = Path.Combine(Path.GetTempPath(), "sluice-clang-" + Guid.NewGuid().ToString("N"));
        try
        {
            string file = Write(folder, kernel);
            foreach (KernelDefines defines in kernel.Samples.Count > 0 ? kernel.Samples : [KernelDefines.None])
            {
                Compile(folder, file, KernelTarget.For(90, DType.BFloat16), defines);
                Compile(folder, file, KernelTarget.For(80, DType.BFloat16), defines);
            }

            // The types differ in a few functions of one header: one sample shows that both have them.
            KernelDefines first = kernel.Samples.Count > 0 ? kernel.Samples[0] : KernelDefines.None;
            Compile(folder, file, KernelTarget.For(90, DType.Float16), first);
            Compile(folder, file, KernelTarget.For(80, DType.Float16), first);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Clang_BrokenKernel_IsRefused()
    {
        SkipWithoutClang();
        KernelSource kernel = KernelSource.FromText("Ops/Broken.cu", "#include \"Types.cuh\"\nextern \"C\" __global__ void broken(act_t* x) { x[0] = undeclared(1); }\n");
        string folder = Path.Combine(Path.GetTempPath(), "sluice-clang-" + Guid.NewGuid().ToString("N"));
        try
        {
            string file = Write(folder, kernel);
            Assert.NotNull(Run(folder, file, KernelTarget.For(90, DType.BFloat16), KernelDefines.None));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void SkipWithoutClang()
    {
        if (Clang.Value is null && Environment.GetEnvironmentVariable("CI") != "true")
        {
            Assert.Skip("clang is not installed");
        }

        Assert.True(Clang.Value is not null, "Continuous integration needs clang to check the kernels.");
    }

    private static string Write(string folder, KernelSource kernel)
    {
        Directory.CreateDirectory(folder);
        foreach ((string name, string text) in kernel.Includes)
        {
            File.WriteAllText(Path.Combine(folder, name), text);
        }

        string file = Path.Combine(folder, Path.GetFileName(kernel.Path));
        File.WriteAllText(file, kernel.Text);
        return file;
    }

    private static void Compile(string folder, string file, KernelTarget target, KernelDefines defines)
    {
        string? errors = Run(folder, file, target, defines);
        Assert.True(errors is null, $"{Path.GetFileName(file)} for {target.Architecture}, {target.ActivationType.Name()} {defines}:\n{errors}");
    }

    /// <summary>What clang said when it refused; null when it accepted.</summary>
    private static string? Run(string folder, string file, KernelTarget target, KernelDefines defines)
    {
        ProcessStartInfo start = new(Clang.Value!) { RedirectStandardError = true, RedirectStandardOutput = true };
        string[] arguments =
        [
            "-x", "cuda", "--cuda-device-only", "-nocudainc", "-nocudalib", "-std=c++17", "-O1", "-S", "-o", Path.Combine(folder, "out.ptx"),
            "--cuda-gpu-arch=" + target.Architecture, "--no-cuda-version-check", "-Wno-unknown-cuda-version", "-Wno-unused-command-line-argument",
            "-include", Path.Combine(AppContext.BaseDirectory, "Cuda", "ClangShim.h"), "-I", folder,
            .. target.CompilerOptions(defines).Where(option => option.StartsWith("-D", StringComparison.Ordinal)),
            file,
        ];
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        if (!process.WaitForExit(TimeoutMilliseconds))
        {
            process.Kill();
            return "clang did not end";
        }

        return process.ExitCode == 0 ? null : errors.GetAwaiter().GetResult() + output.GetAwaiter().GetResult();
    }

    private static string? Find() =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator) is var folders
            ? Names.SelectMany(name => folders.Select(folder => Path.Combine(folder, name))).FirstOrDefault(File.Exists)
            : null;
}

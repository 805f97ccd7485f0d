using System.Diagnostics;
using Sluice.Cli.Commands;
using Sluice.Cli.Startup;
using Sluice.Compute.Cuda;
using Sluice.Compute.Cuda.Interop;

namespace Sluice.Server.Tests.Cli;

/// <summary>The command runs in a process of its own: a process that has warmed kernels can use no GPU.</summary>
public sealed class WarmCommandTests : IDisposable
{
    private const int TimeoutMilliseconds = 300_000;

    private readonly string _folder = Path.Combine(Path.GetTempPath(), "sluice-warm-" + Guid.NewGuid().ToString("N"));

    public void Dispose()
    {
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    [Theory]
    [InlineData(null, new int[0])]
    [InlineData("90", new[] { 90 })]
    [InlineData("9.0, sm_80,sm_90a, 80", new[] { 80, 90 })]
    [InlineData("120", new[] { 120 })]
    public void Chips_Spellings_AreRead(string? text, int[] expected) => Assert.Equal(expected, WarmCommand.Chips(text));

    [Theory]
    [InlineData("75")]
    [InlineData("hopper")]
    [InlineData("80,x")]
    public void Chips_NoChipOfOurs_SaysWhichWord(string text) =>
        Assert.Contains("--arch " + text.Split(',')[^1], Assert.Throws<UserErrorException>(() => WarmCommand.Chips(text)).Message, StringComparison.Ordinal);

    [Fact]
    public async Task Warm_NoGpuAndNoKind_AsksForOne()
    {
        Assert.SkipWhen(HasGpu(), "this machine has a GPU");
        (int code, string output, string error) = await RunAsync("warm");
        Assert.Equal((2, ""), (code, output));
        Assert.Contains("--arch", error, StringComparison.Ordinal);
        Assert.Single(error.Trim().Split('\n'));
    }

    [Fact]
    public async Task Warm_TwoProcessesThenAThird_CompileOnceForAll()
    {
        try
        {
            _ = Nvrtc.Api;
        }
        catch (CudaUnavailableException missing)
        {
            Assert.Skip(missing.Message);
        }

        // Two at once share the folder; each compiles what it does not find.
        (int Code, string Output, string Error)[] both = await Task.WhenAll(RunAsync("warm", "--arch", "90"), RunAsync("warm", "--arch", "90"));
        Assert.All(both, run => Assert.True(run.Code == 0, run.Error));
        string kernels = Path.Combine(_folder, "kernels");
        string[] files = Directory.GetFiles(kernels);
        Assert.True(files.Length > 5, $"{files.Length} kernels");
        Assert.All(files, file => Assert.EndsWith(".kernel", file, StringComparison.Ordinal));

        (int code, string output, string error) = await RunAsync("warm", "--arch", "90");
        Assert.True(code == 0, error);
        Assert.StartsWith("0 kernels of storyteller compiled for compute capability 9.0", output, StringComparison.Ordinal);
        Assert.Contains($"{files.Length} were there already", output, StringComparison.Ordinal);
        Assert.Contains("Cache: " + kernels, output, StringComparison.Ordinal);
    }

    /// <summary>What a walk without a device finds is what a start on the device launches.</summary>
    [Fact]
    public async Task Warm_ThenAStartOnTheGpu_CompilesNothing()
    {
        Assert.SkipUnless(HasGpu(), "this machine has no GPU");
        (int code, _, string error) = await RunAsync("warm");
        Assert.True(code == 0, error);

        (code, string output, error) = await RunAsync(
            "bench", "latency", "--device", "cuda", "--batch-size", "3", "--input-len", "40", "--output-len", "8", "--num-iters", "1", "--num-iters-warmup", "1");
        Assert.True(code == 0, error);
        Assert.Contains("GPU kernels: none compiled", output + error, StringComparison.Ordinal);
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

    private async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        string program = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "Sluice.Cli.exe" : "Sluice.Cli");
        Assert.SkipUnless(File.Exists(program), "the program is not beside its tests");
        ProcessStartInfo start = new(program) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["SLUICE_CACHE_DIR"] = _folder;
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeoutMilliseconds);
        await process.WaitForExitAsync(limit.Token);
        return (process.ExitCode, await output, await error);
    }
}

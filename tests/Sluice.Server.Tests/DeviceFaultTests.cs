using System.Net;
using System.Text.Json;
using Sluice.Cli;
using Sluice.Cli.Commands;
using Sluice.Server.Tests.Cli;
using Sluice.Server.Tests.Support;
using Sluice.Tests;
using Sluice.Tests.Execution;

namespace Sluice.Server.Tests;

/// <summary>What clients and a supervisor see of a device that breaks.</summary>
public sealed class DeviceFaultTests
{
    private static readonly EngineOptions Options = new()
    {
        Model = TestData.Storyteller,
        KvCacheMemoryBytes = 16 << 20,
        MaxNumSeqs = 8,
        MaxCudaGraphCaptureSize = 8,
    };

    [Fact]
    public async Task Serve_DeviceIsLost_RequestsGetAnErrorAndTheProgramEndsWithOne()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        var device = new QueuedBackend { FaultsStay = true };
        await using LlmEngine engine = LlmEngine.Load(Options, device);
        await using TestServer server = await TestServer.StartAsync(engine);
        Task waiting = server.Server.WaitForShutdownAsync(cancellation);
        const string request = """{"prompt":"Once upon a time","max_tokens":200,"ignore_eos":true}""";
        int fences = 0;
        device.BeforeFence = () =>
        {
            if (++fences == 10)
            {
                throw new InvalidOperationException("the device fell off the bus");
            }
        };
        Task<List<string>> streamed = server.StreamAsync("/v1/completions", request[..^1] + ",\"stream\":true}");
        Task<(HttpStatusCode Status, JsonElement Body)> whole = server.PostAsync("/v1/completions", request);
        Assert.Equal(HttpStatusCode.InternalServerError, (await whole).Status);
        List<string> events = await streamed;
        Assert.Contains(events, text => text.Contains("\"error\"", StringComparison.Ordinal));
        Assert.DoesNotContain(events, text => text.Contains("fell off", StringComparison.Ordinal));

        await waiting.WaitAsync(TimeSpan.FromSeconds(30), cancellation);
        using StringWriter errors = new();
        Assert.Equal(CommandLine.OurFault, ServeCommand.ExitCodeOf(engine, errors));
        Assert.StartsWith("error: The engine stopped because its device failed.", errors.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Health_EngineStopped_Answers503()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        var device = new QueuedBackend { FaultsStay = true };
        await using LlmEngine engine = LlmEngine.Load(Options, device);
        await using TestServer server = await TestServer.StartAsync(engine);
        using (HttpResponseMessage healthy = await server.Client.GetAsync("/health", cancellation))
        {
            Assert.Equal(HttpStatusCode.OK, healthy.StatusCode);
        }

        device.BeforeFence = () => throw new InvalidOperationException("the device fell off the bus");
        (HttpStatusCode status, _) = await server.PostAsync("/v1/completions", """{"prompt":"a","max_tokens":5}""");
        Assert.Equal(HttpStatusCode.InternalServerError, status);
        foreach (string path in new[] { "/health", "/health/live" })
        {
            using HttpResponseMessage ill = await server.Client.GetAsync(path, cancellation);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, ill.StatusCode);
        }
    }

    [Fact]
    public async Task Serve_CudaOnAMachineWithoutAGpu_EndsWithTwoAndOneLine()
    {
        Assert.SkipWhen(File.Exists("/dev/nvidiactl"), "this machine has an NVIDIA GPU");
        (int code, _, string error) = await CommandLineRunner.RunAsync(["serve", "--device", "cuda", "--port", "0"]);
        Assert.Equal(CommandLine.UsersMistake, code);
        Assert.StartsWith("error: --device cuda: ", error, StringComparison.Ordinal);
        Assert.Single(error.TrimEnd().Split('\n'));
    }

    [Fact]
    public async Task Serve_StoppedByItsUser_EndsWithZero()
    {
        await using LlmEngine engine = LlmEngine.Load(Options, new QueuedBackend());
        await using TestServer server = await TestServer.StartAsync(engine);
        using CancellationTokenSource stop = new();
        Task waiting = server.Server.WaitForShutdownAsync(stop.Token);
        await stop.CancelAsync();
        await waiting;
        using StringWriter errors = new();
        Assert.Equal(CommandLine.Success, ServeCommand.ExitCodeOf(engine, errors));
        Assert.Equal("", errors.ToString());
    }
}

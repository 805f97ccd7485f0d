using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Sluice.Server.Tests.Support;

namespace Sluice.Server.Tests;

public sealed class ShutdownTests(Storyteller model)
{
    // 400 tokens take the bundled model some seconds when the machine is busy.
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(60);

    private const string LongRequest =
        """{"prompt":"Once upon a time","temperature":0,"max_tokens":400,"ignore_eos":true,"stream":true}""";

    [Fact]
    public async Task Stop_WhileStreaming_FinishesTheStreamAndRefusesNewRequests()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        Task<List<string>> running = server.StreamAsync("/v1/completions", LongRequest);
        await WaitAsync(() => server.Server.State.GenerationCount == 1);
        Task stopping = server.Server.StopAsync(Long);
        await WaitAsync(() => server.Server.State.Shutdown.IsDraining);
        using HttpResponseMessage refused = await server.SendAsync("/v1/completions", """{"prompt":"a","max_tokens":1}""");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.True(refused.Headers.ConnectionClose);
        using HttpResponseMessage ready = await server.Client.GetAsync("/health", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        using HttpResponseMessage live = await server.Client.GetAsync("/health/live", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
        List<string> events = await running;
        Assert.Equal("[DONE]", events[^1]);
        Assert.Equal("length", TestServer.Parse(events[^2]).TextAt("choices.0.finish_reason"));
        await stopping;
    }

    [Fact]
    public async Task Stop_OutOfTime_EndsTheStreamWithAnErrorEvent()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        using HttpResponseMessage response = await server.SendAsync("/v1/completions", LongRequest);
        Task<string> reading = response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        await WaitAsync(() => server.Server.State.GenerationCount == 1);
        Stopwatch watch = Stopwatch.StartNew();
        await server.Server.StopAsync(TimeSpan.Zero);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(8), $"{watch.Elapsed}");
        string[] events = (await reading).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("data: [DONE]", events[^1]);
        JsonElement error = TestServer.Parse(events[^2]["data: ".Length..]).GetProperty("error");
        Assert.Equal(503, error.IntAt("code"));
        await WaitAsync(() => model.Engine.Stats.KvBlocksUsed == 0);
    }

    [Fact]
    public async Task Stop_OutOfTime_AnswersWholeRequestsWith503()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        Task<(HttpStatusCode Status, JsonElement Body)> running =
            server.PostAsync("/v1/completions", LongRequest.Replace(",\"stream\":true", "", StringComparison.Ordinal));
        await WaitAsync(() => server.Server.State.GenerationCount == 1);
        await server.Server.StopAsync(TimeSpan.Zero);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await running).Status);
    }

    [Fact]
    public async Task WaitForShutdown_Cancelled_Drains()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        using CancellationTokenSource stop = new();
        Task waiting = server.Server.WaitForShutdownAsync(stop.Token);
        Assert.False(waiting.IsCompleted);
        await stop.CancelAsync();
        await waiting.WaitAsync(Long, TestContext.Current.CancellationToken);
        await Assert.ThrowsAsync<HttpRequestException>(() => server.Client.GetAsync("/health", TestContext.Current.CancellationToken));
    }

    internal static async Task WaitAsync(Func<bool> condition)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(watch.Elapsed < Long, "Waited too long.");
            await Task.Delay(2, TestContext.Current.CancellationToken);
        }
    }
}

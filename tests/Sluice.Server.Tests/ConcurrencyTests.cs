using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Sluice.Server.Tests.Support;

namespace Sluice.Server.Tests;

/// <summary>Many clients at once, and clients that leave or stop to read.</summary>
public sealed class ConcurrencyTests(Storyteller model)
{
    private const int StreamCount = 512;
    private const int TokenCount = 24;
    private const int DisconnectCount = 1000;

    [Fact]
    public async Task Streams_512AtOnce_EachGetsItsOwnTextInOrder()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        (string Chat, string[] Expected)[] conversations = new (string, string[])[16];
        for (int i = 0; i < conversations.Length; i++)
        {
            string body = $$"""{"prompt":"Story number {{i}}: there was","temperature":0,"max_tokens":{{TokenCount}},"ignore_eos":true,"return_token_ids":true""";
            conversations[i] = (body, Tokens(await server.StreamAsync("/v1/completions", body + ""","stream":true}""")));
        }

        Task<List<string>>[] streams = [.. Enumerable.Range(0, StreamCount).Select(index =>
            server.StreamAsync("/v1/completions", conversations[index % conversations.Length].Chat + ""","stream":true}"""))];
        List<string>[] answers = await Task.WhenAll(streams);
        for (int index = 0; index < StreamCount; index++)
        {
            Assert.Equal("[DONE]", answers[index][^1]);
            Assert.Equal(conversations[index % conversations.Length].Expected, Tokens(answers[index]));
        }

        Assert.Equal(StreamCount, answers.Select(static events => TestServer.Parse(events[0]).TextAt("id")).Distinct().Count());
        await ShutdownTests.WaitAsync(() => model.Engine.Stats.KvBlocksUsed == 0);
    }

    [Fact]
    public async Task Disconnects_1000AtRandomMoments_FreeEveryBlock()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        Random random = new(3);
        (int DelayMilliseconds, string Body)[] plans = new (int, string)[DisconnectCount];
        for (int i = 0; i < plans.Length; i++)
        {
            string stream = random.Next(2) == 0 ? "true" : "false";
            string n = random.Next(4) == 0 ? "3" : "1";
            plans[i] = (
                random.Next(120),
                $$"""{"prompt":"{{new string('w', random.Next(1, 200))}} {{i}}","max_tokens":200,"ignore_eos":true,"n":{{n}},"temperature":1,"stream":{{stream}}}""");
        }

        using SemaphoreSlim atOnce = new(64);
        await Task.WhenAll(plans.Select(async plan =>
        {
            await atOnce.WaitAsync(TestContext.Current.CancellationToken);
            try
            {
                using CancellationTokenSource leave = new(plan.DelayMilliseconds);
                using HttpResponseMessage response = await server.SendUntilAsync("/v1/completions", plan.Body, leave.Token);
                await response.Content.CopyToAsync(Stream.Null, leave.Token);
            }
            catch (Exception exception) when (exception is OperationCanceledException or HttpRequestException or IOException)
            {
                // As planned.
            }
            finally
            {
                atOnce.Release();
            }
        }));
        await ShutdownTests.WaitAsync(() => model.Engine.Stats is { KvBlocksUsed: 0, ActiveRequestCount: 0 } && server.Server.State.GenerationCount == 0);
        Assert.Equal(0, server.Server.State.Bodies.TakenBytes);
        await server.PostOkAsync("/v1/completions", """{"prompt":"a","max_tokens":1}""");
    }

    [Fact]
    public async Task Reader_ThatNeverReads_HoldsUpNobody()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        using TcpClient deaf = new() { ReceiveBufferSize = 1 };
        await deaf.ConnectAsync(server.Address.Host, server.Address.Port, TestContext.Current.CancellationToken);
        string body = """{"prompt":"Once","max_tokens":400,"n":60,"ignore_eos":true,"temperature":1,"stream":true,"logprobs":5}""";
        await deaf.GetStream().WriteAsync(
            Encoding.ASCII.GetBytes($"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}"),
            TestContext.Current.CancellationToken);
        await ShutdownTests.WaitAsync(() => model.Engine.Stats.RunningCount > 0);
        JsonElement answer = await server.PostOkAsync("/v1/completions", """{"prompt":"a","max_tokens":20,"ignore_eos":true}""");
        Assert.Equal(20, answer.IntAt("usage.completion_tokens"));
        deaf.Close();
        await ShutdownTests.WaitAsync(() => model.Engine.Stats.KvBlocksUsed == 0);
    }

    [Fact]
    public async Task Queue_Full_Answers503()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine, static options => options with { MaxWaitingRequests = 4 });

        // 256 sequences run at a time; those beyond wait.
        const string big = """{"prompt":"Once","max_tokens":300,"n":270,"ignore_eos":true,"temperature":1}""";
        using CancellationTokenSource leave = new();
        Task<HttpResponseMessage> running = server.SendUntilAsync("/v1/completions", big, leave.Token);
        await ShutdownTests.WaitAsync(() => model.Engine.Stats.WaitingCount > 4);
        using HttpResponseMessage refused = await server.SendAsync("/v1/completions", """{"prompt":"a","max_tokens":1}""");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.NotNull(refused.Headers.RetryAfter);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        await ShutdownTests.WaitAsync(() => model.Engine.Stats.KvBlocksUsed == 0);
    }

    private static string[] Tokens(List<string> events) =>
    [
        .. events.SkipLast(1).Select(TestServer.Parse).SelectMany(static chunk => chunk.IntsAt("choices.0.token_ids"))
            .Select(static id => id.ToString(System.Globalization.CultureInfo.InvariantCulture)),
    ];
}

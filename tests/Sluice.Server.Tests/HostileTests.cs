using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Sluice.Server.Tests.Support;

namespace Sluice.Server.Tests;

public sealed partial class HostileTests(Storyteller model)
{
    // A refusal does no work of the model; the longest rows carry a megabyte. Generous, for the machine is shared.
    private static readonly TimeSpan SlowestRefusal = TimeSpan.FromSeconds(5);

    public static TheoryData<string> Names => [.. HostileRequests.All.Select(static row => row.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Request_Hostile_GetsItsAnswer(string name)
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        await CheckAsync(server, HostileRequests.All.Single(row => row.Name == name));
    }

    [Fact]
    public async Task Requests_Hostile_DoNotTouchGoodOnes()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        const string good = """{"prompt":"Once upon a time","temperature":0,"max_tokens":60,"ignore_eos":true}""";
        string expected = (await server.PostOkAsync("/v1/completions", good)).TextAt("choices.0.text")!;
        using CancellationTokenSource done = new();
        Task<int>[] clients = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            int count = 0;
            while (!done.IsCancellationRequested)
            {
                Assert.Equal(expected, (await server.PostOkAsync("/v1/completions", good)).TextAt("choices.0.text"));
                count++;
            }

            return count;
        }))];

        Random random = new(11);
        HostileRow[] rows = [.. HostileRequests.All];
        random.Shuffle(rows);
        foreach (HostileRow row in rows)
        {
            await CheckAsync(server, row);
        }

        await done.CancelAsync();
        Assert.All(await Task.WhenAll(clients), static count => Assert.True(count > 0));
        Assert.Equal(0, server.Server.State.Bodies.TakenBytes);
        Assert.True(model.Engine.IsHealthy);
    }

    private static async Task CheckAsync(TestServer server, HostileRow row)
    {
        Stopwatch watch = Stopwatch.StartNew();
        (System.Net.HttpStatusCode status, JsonElement body) = await server.PostAsync(row.Path, row.Body);
        Assert.True(watch.Elapsed < SlowestRefusal, $"{row.Name} took {watch.Elapsed}");
        Assert.Equal(["error"], body.NamesOf());
        JsonElement error = body.GetProperty("error");
        Assert.Equal(["message", "type", "param", "code"], error.NamesOf());
        string message = error.TextAt("message")!;
        Assert.Contains(row.Message, message, StringComparison.Ordinal);
        Assert.True((int)status == row.Status, $"{row.Name}: {(int)status} {body}");
        Assert.Equal(row.Status, error.IntAt("code"));
        Assert.Equal(row.Type, error.TextAt("type"));
        Assert.Equal(row.Param, error.TextAt("param"));

        // Names of types, files and lines of code are no business of a client.
        Assert.DoesNotMatch(Inside(), message);
        Assert.True(message.Length < 600, message);
    }

    [GeneratedRegex(@"   at |\.cs\b|System\.|Sluice\.|/(src|tmp|home|root)/", RegexOptions.CultureInvariant)]
    private static partial Regex Inside();
}

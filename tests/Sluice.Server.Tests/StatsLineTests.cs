using System.Text.RegularExpressions;
using Sluice.Requests;
using Sluice.Server.Tests.Support;

namespace Sluice.Server.Tests;

public sealed class StatsLineTests(Storyteller model)
{
    [Theory]
    [InlineData(
        StatsLineFormat.V1,
        @"^Engine 000: Avg prompt throughput: \d+\.\d tokens/s, Avg generation throughput: \d+\.\d tokens/s, Running: \d+ reqs, "
        + @"Waiting: \d+ reqs, CPU KV cache usage: \d+\.\d%, Prefix cache hit rate: \d+\.\d%$")]
    [InlineData(
        StatsLineFormat.V0,
        @"^Avg prompt throughput: \d+\.\d tokens/s, Avg generation throughput: \d+\.\d tokens/s, Running: \d+ reqs, "
        + @"Swapped: \d+ reqs, Pending: \d+ reqs, GPU KV cache usage: 0\.0%, CPU KV cache usage: \d+\.\d%\.$")]
    public async Task Next_AfterWork_IsVllmsLineThenZerosThenSilence(StatsLineFormat format, string pattern)
    {
        // Other tests share the engine; an engine of its own is idle when this test says so.
        await using LlmEngine engine = await LlmEngine.LoadAsync(
            model.Engine.Options with { KvCacheMemoryBytes = 8 << 20 }, cancellation: TestContext.Current.CancellationToken);
        StatsLine line = new(engine, format);
        Assert.Null(line.Next(10));
        GenerationRequest request = new()
        {
            Id = "a",
            PromptTokenIds = [1, 2, 3],
            Sampling = new SamplingParams { MaxTokens = 20, IgnoreEos = true },
        };
        await foreach (TokenOutput output in engine.Submit(request).WithCancellation(TestContext.Current.CancellationToken))
        {
            Assert.Null(output.Error);
        }

        string first = line.Next(2)!;
        Assert.Matches(pattern, first);
        Assert.Contains("Avg prompt throughput: 1.5 tokens/s, Avg generation throughput: 10.0 tokens/s", first, StringComparison.Ordinal);
        Assert.Contains("Avg generation throughput: 0.0 tokens/s", line.Next(10), StringComparison.Ordinal);
        Assert.Null(line.Next(10));
    }

    [Theory]
    [InlineData(StatsLineFormat.V1, @"Waiting: \d+ reqs, Swapped: [1-9]\d* reqs, ")]
    [InlineData(StatsLineFormat.V0, @"Swapped: [1-9]\d* reqs, Pending: \d+ reqs")]
    public async Task Next_RequestsInHostMemory_CountsThem(StatsLineFormat format, string pattern)
    {
        // 12 requests of 400 tokens in a cache of 1024.
        await using LlmEngine engine = await LlmEngine.LoadAsync(
            model.Engine.Options with
            {
                KvCacheMemoryBytes = null,
                NumGpuBlocksOverride = 64,
                MaxModelLen = 512,
                SwapSpaceGiB = 0.1,
                PreemptionMode = PreemptionMode.Swap,
            },
            cancellation: TestContext.Current.CancellationToken);
        for (int i = 0; i < 1000 && engine.Stats.SwapBlocksTotal == 0; i++)
        {
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        StatsLine line = new(engine, format);
        Task[] requests = [.. Enumerable.Range(0, 12).Select(ReadAsync)];
        bool seen = false;
        while (!requests.All(request => request.IsCompleted))
        {
            seen |= Regex.IsMatch(line.Next(1) ?? "", pattern);
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }

        await Task.WhenAll(requests);
        Assert.True(seen);
        Assert.Equal((0, 0), (engine.Stats.SwappedCount, engine.Stats.SwapBlocksUsed));

        async Task ReadAsync(int index)
        {
            var sampling = new SamplingParams { MaxTokens = 396, IgnoreEos = true, Temperature = 0 };
            GenerationRequest request = new() { Id = $"{index}", PromptTokenIds = [1, 2, 3, index + 5], Sampling = sampling };
            await foreach (TokenOutput output in engine.Submit(request).WithCancellation(TestContext.Current.CancellationToken))
            {
                Assert.Null(output.Error);
            }
        }
    }
}

using Sluice.Requests;
using Sluice.Tests.Execution;
using Sluice.Tests.Scheduling;

namespace Sluice.Tests.Requests;

public sealed class RequestStreamTests
{
    private readonly List<int> _aborts = [];
    private int _caughtUp;

    private RequestStream NewStream(int choices = 1) => new("r", choices, _aborts.Add, () => _caughtUp++);

    [Fact]
    public async Task MoveNextAsync_ReaderBehind_GetsJoinedOutputsInOrder()
    {
        RequestStream stream = NewStream(2);
        stream.Begin(0, 3, null);
        for (int i = 0; i < 10; i++)
        {
            stream.Append(i % 2, i, null);
        }

        stream.Finish(1, FinishReason.Length);
        List<TokenOutput> outputs = [];
        await using (IAsyncEnumerator<TokenOutput> reader = stream.GetAsyncEnumerator(TestContext.Current.CancellationToken))
        {
            await reader.MoveNextAsync();
            outputs.Add(reader.Current);
            await reader.MoveNextAsync();
            outputs.Add(reader.Current);
            ValueTask<bool> next = reader.MoveNextAsync();
            Assert.False(next.IsCompleted);
            stream.Finish(0, FinishReason.Stop, stopTokenId: 8);
            Assert.True(await next);
            outputs.Add(reader.Current);
            Assert.False(await reader.MoveNextAsync());
        }

        Assert.Equal([0, 2, 4, 6, 8], outputs[0].TokenIds);
        Assert.Equal((0, 3, null), (outputs[0].ChoiceIndex, outputs[0].CachedTokenCount, outputs[0].FinishReason));
        Assert.Equal([1, 3, 5, 7, 9], outputs[1].TokenIds);
        Assert.Equal((1, FinishReason.Length), (outputs[1].ChoiceIndex, outputs[1].FinishReason));
        Assert.Empty(outputs[2].TokenIds);
        Assert.Equal((0, FinishReason.Stop, 8), (outputs[2].ChoiceIndex, outputs[2].FinishReason, outputs[2].StopTokenId));
        Assert.Empty(_aborts);
    }

    [Fact]
    public async Task Finish_Twice_KeepsTheFirst()
    {
        RequestStream stream = NewStream();
        stream.Finish(0, FinishReason.Length);
        stream.Finish(0, FinishReason.Abort);
        stream.Append(0, 1, null);
        IAsyncEnumerator<TokenOutput> reader = stream.GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await reader.MoveNextAsync());
        Assert.Equal(FinishReason.Length, reader.Current.FinishReason);
        Assert.Empty(reader.Current.TokenIds);
        Assert.False(await reader.MoveNextAsync());
    }

    [Fact]
    public async Task GetAsyncEnumerator_LeftEarly_Aborts()
    {
        RequestStream stream = NewStream();
        stream.Append(0, 1, null);
        await foreach (TokenOutput _ in stream)
        {
            break;
        }

        Assert.Equal([-1], _aborts);
        Assert.Throws<InvalidOperationException>(() => stream.GetAsyncEnumerator(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task MoveNextAsync_Cancelled_AbortsAndThrows()
    {
        RequestStream stream = NewStream();
        using var cancellation = new CancellationTokenSource();
        IAsyncEnumerator<TokenOutput> reader = stream.GetAsyncEnumerator(cancellation.Token);
        ValueTask<bool> next = reader.MoveNextAsync();
        await cancellation.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(async () => await next);
        Assert.Equal([-1], _aborts);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await reader.MoveNextAsync());
    }

    [Fact]
    public async Task MoveNextAsync_FromAFullBuffer_TellsTheLoop()
    {
        RequestStream stream = NewStream();
        for (int i = 0; i < RequestStream.BufferedTokenLimit; i++)
        {
            Assert.False(stream.IsFull(0));
            stream.Append(0, i, null);
        }

        Assert.True(stream.IsFull(0));
        IAsyncEnumerator<TokenOutput> reader = stream.GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await reader.MoveNextAsync());
        Assert.Equal(Enumerable.Range(0, RequestStream.BufferedTokenLimit), reader.Current.TokenIds);
        Assert.False(stream.IsFull(0));
        Assert.Equal(1, _caughtUp);
    }

    [Fact]
    public async Task Read_SlowReader_PausesItsOwnSequenceOnlyAndLosesNothing()
    {
        using var engine = new EngineHarness(blockCount: 4096);
        GenerationRequest request = EngineHarness.Request([10, 11, 12], 3000, "slow");
        request = request with { Sampling = request.Sampling with { IgnoreEos = true } };
        RequestStream slow = engine.Submit(request);
        for (int i = 0; i < 500 && !slow.IsFull(0); i++)
        {
            await Task.Delay(2, TestContext.Current.CancellationToken);
        }

        // Others run to their end while the slow one stands still.
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(EchoModel.Generate([20, i + 20], 1, 50), (await engine.RunAsync([20, i + 20], 50)).TokenIds);
        }

        Assert.Equal(1, engine.Loop.ActiveCount);
        Answer answer = (await EngineHarness.ReadAsync(slow))[0];
        Assert.Equal(EchoModel.Generate([10, 11, 12], 1, 3000, ignoreEos: true), answer.TokenIds);
        await engine.ExpectIdleAsync();
    }

    [Fact]
    public async Task Read_ReaderNeverReads_IsAbortedAfterTheTimeout()
    {
        using var engine = new EngineHarness(blockCount: 4096, readerTimeout: TimeSpan.FromMilliseconds(50));
        GenerationRequest request = EngineHarness.Request([10, 11, 12], 3000, "deaf");
        request = request with { Sampling = request.Sampling with { IgnoreEos = true } };
        RequestStream stream = engine.Submit(request);
        for (int i = 0; i < 1000 && engine.Loop.ActiveCount > 0; i++)
        {
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }

        await engine.ExpectIdleAsync();
        Answer answer = (await EngineHarness.ReadAsync(stream))[0];
        Assert.Equal(FinishReason.Abort, answer.FinishReason);
        Assert.InRange(answer.TokenIds.Count, RequestStream.BufferedTokenLimit, RequestStream.BufferedTokenLimit + 2);
    }

    [Fact]
    public async Task Read_CancelledWhileRunning_FreesItsBlocks()
    {
        using var engine = new EngineHarness(blockCount: 4096);
        using var cancellation = new CancellationTokenSource();
        GenerationRequest request = EngineHarness.Request([10, 11, 12], 10_000, "cancelled");
        RequestStream stream = engine.Submit(request with { Sampling = request.Sampling with { IgnoreEos = true } });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (TokenOutput output in stream.WithCancellation(cancellation.Token))
            {
                await cancellation.CancelAsync();
            }
        });
        await engine.ExpectIdleAsync();
    }
}

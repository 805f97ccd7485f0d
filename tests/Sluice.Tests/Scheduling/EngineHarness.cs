using Sluice.Execution;
using Sluice.KvCache;
using Sluice.Requests;
using Sluice.Scheduling;
using Sluice.Tests.Execution;

namespace Sluice.Tests.Scheduling;

/// <summary>An engine loop over <see cref="EchoRunner"/>, with all books checked after each step.</summary>
internal sealed class EngineHarness : IDisposable
{
    public const int BlockSize = 4;
    private int _requestCount;

    public EngineHarness(
        int blockCount = 256, int maxTokens = 64, int maxSequences = 8, bool async = true, bool prefixCache = true,
        bool chunkedPrefill = true, TimeSpan? readerTimeout = null, TimeProvider? time = null, bool deferred = false,
        int swapBlocks = 0, bool alwaysSwap = true, bool openSwapSpace = true)
    {
        Cache = prefixCache ? new PrefixCache(blockCount, BlockSize, new SipHash128(1, 2)) : null;
        Pool = new BlockPool(blockCount, Cache);
        Runner = new EchoRunner(blockCount, BlockSize, maxSequences, swapBlocks) { IsDeferred = deferred };
        if (swapBlocks > 0)
        {
            SwapSpace = new SwapSpace();
            if (openSwapSpace)
            {
                SwapSpace.Open(swapBlocks, new SwapCosts(alwaysSwap ? 0 : BlockSize * 10, 1));
            }
        }

        Loop = new EngineLoop(
            new EngineLoopOptions
            {
                Scheduler = new SchedulerOptions
                {
                    MaxBatchedTokens = maxTokens,
                    MaxSequences = maxSequences,
                    BlockSize = BlockSize,
                    ChunkedPrefill = chunkedPrefill,
                },
                EosTokenIds = [EchoModel.EndToken],
                AsyncScheduling = async,
                CheckEveryStep = true,
                ReaderTimeout = readerTimeout ?? TimeSpan.FromSeconds(30),
            },
            Pool, Cache, Runner, Metrics, new Heartbeat(time ?? TimeProvider.System), time ?? TimeProvider.System, SwapSpace)
        {
            FaultObserver = fault => Faults.Enqueue(fault),
        };
    }

    public EngineLoop Loop { get; }

    public BlockPool Pool { get; }

    public PrefixCache? Cache { get; }

    public SwapSpace? SwapSpace { get; }

    public EchoRunner Runner { get; }

    public EngineMetrics Metrics { get; } = new(4096);

    public System.Collections.Concurrent.ConcurrentQueue<Exception> Faults { get; } = new();

    public static GenerationRequest Request(int[] prompt, int maxTokens, string id, long seed = 1, int n = 1) => new()
    {
        Id = id,
        PromptTokenIds = prompt,
        Sampling = new SamplingParams { MaxTokens = maxTokens, Seed = seed, N = n },
    };

    public RequestStream Submit(int[] prompt, int maxTokens, long seed = 1, int n = 1) =>
        Submit(Request(prompt, maxTokens, $"r{Interlocked.Increment(ref _requestCount)}", seed, n));

    public RequestStream Submit(GenerationRequest request) => Loop.Submit(request, request.Sampling.MaxTokens!.Value);

    /// <summary>Reads a stream to its end and checks its shape: one end a choice, nothing after it.</summary>
    public static async Task<Answer[]> ReadAsync(RequestStream stream, int choices = 1)
    {
        var answers = new Answer[choices];
        for (int i = 0; i < choices; i++)
        {
            answers[i] = new Answer();
        }

        await foreach (TokenOutput output in stream.WithCancellation(TestContext.Current.CancellationToken))
        {
            Answer answer = answers[output.ChoiceIndex];
            Assert.Null(answer.FinishReason);
            answer.TokenIds.AddRange(output.TokenIds);
            answer.CachedTokenCount += output.CachedTokenCount;
            answer.PromptLogprobs ??= output.PromptLogprobs;
            answer.FinishReason = output.FinishReason;
            answer.StopTokenId = output.StopTokenId;
            answer.Error = output.Error;
        }

        Assert.All(answers, answer => Assert.NotNull(answer.FinishReason));
        return answers;
    }

    public async Task<Answer> RunAsync(int[] prompt, int maxTokens, long seed = 1) =>
        (await ReadAsync(Submit(prompt, maxTokens, seed)))[0];

    /// <summary>Waits until nothing runs and checks that nothing is held.</summary>
    public async Task ExpectIdleAsync()
    {
        for (int i = 0; i < 500 && (Loop.ActiveCount > 0 || Pool.UsedCount > 0); i++)
        {
            await Task.Delay(2, TestContext.Current.CancellationToken);
        }

        Assert.Equal(0, Loop.ActiveCount);
        Assert.Equal(0, Pool.UsedCount);
        Assert.Equal(0, Loop.Snapshot().SwapBlocksUsed + Loop.Snapshot().SwappedCount);
        Assert.Null(Loop.Fault);
    }

    public void Dispose()
    {
        Loop.Dispose();
        Metrics.Dispose();
    }
}

/// <summary>All that a choice gave.</summary>
internal sealed class Answer
{
    public List<int> TokenIds { get; } = [];

    public FinishReason? FinishReason { get; set; }

    public int? StopTokenId { get; set; }

    public string? Error { get; set; }

    public int CachedTokenCount { get; set; }

    public IReadOnlyList<PositionLogprobs?>? PromptLogprobs { get; set; }
}

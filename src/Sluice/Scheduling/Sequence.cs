using Sluice.KvCache;

namespace Sluice.Scheduling;

/// <summary>Where a sequence stands.</summary>
internal enum SequenceState
{
    /// <summary>Waits for the first choice of its request to fill the prefix cache.</summary>
    Held,

    /// <summary>Waits for blocks, a slot or its turn.</summary>
    Waiting,

    /// <summary>The same, with what was computed in host memory.</summary>
    Swapped,

    /// <summary>Has blocks and a slot.</summary>
    Running,

    /// <summary>Ended; whatever still comes from steps in flight is dropped.</summary>
    Finished,
}

/// <summary>
/// One choice of a request on its way through the engine. Changed by the engine loop only; steps take what they need with them
/// in their <see cref="BatchPlan"/>.
/// </summary>
/// <param name="request">The request that the choice belongs to.</param>
/// <param name="choiceIndex">Which of its choices.</param>
/// <param name="order">Place in the order of arrival, unique.</param>
/// <param name="seed">Seed of its random choices.</param>
internal sealed class Sequence(ActiveRequest request, int choiceIndex, long order, long seed)
{
    private int[] _outputs = [];
    private UInt128[] _blockKeys = [];
    private int _blockKeyCount;

    /// <summary>Stages for the metrics.</summary>
    public RequestTimings Timings;

    public ActiveRequest Request => request;

    public int ChoiceIndex => choiceIndex;

    public long Order => order;

    /// <summary>Lower runs first.</summary>
    public int Priority => request.Request.Priority;

    public long Seed => seed;

    /// <summary>Tokens after which it ends.</summary>
    public int MaxOutputCount => request.MaxOutputCount;

    public SequenceState State { get; set; } = SequenceState.Held;

    /// <summary>The prompt, shared by the choices of a request.</summary>
    public int[] Prompt => request.Prompt;

    public int OutputCount { get; private set; }

    /// <summary>Prompt and output tokens whose ids the loop knows.</summary>
    public int KnownCount => Prompt.Length + OutputCount;

    /// <summary>Samples of steps in flight, whose ids are still with the rank thread; at most 1 whenever a step is scheduled.</summary>
    public int PendingCount { get; set; }

    /// <summary>Known and pending tokens.</summary>
    public int TotalCount => KnownCount + PendingCount;

    /// <summary>Leading tokens whose keys and values are in the cache once every step handed over is done.</summary>
    public int ScheduledCount { get; set; }

    /// <summary>Leading tokens whose keys and values are in the cache.</summary>
    public int ComputedCount { get; set; }

    /// <summary>Leading blocks that were offered to the prefix cache.</summary>
    public int CommittedBlockCount { get; set; }

    /// <summary>Row of the sequence in the sampler's state; -1 when it has none.</summary>
    public int Slot { get; set; } = -1;

    public BlockTable Blocks { get; } = new();

    /// <summary>Blocks of host memory while it is swapped: entry i holds block <see cref="FirstHostBlock"/> + i of its tokens.</summary>
    public BlockTable HostBlocks { get; } = new();

    /// <summary>The block of its tokens that the first of <see cref="HostBlocks"/> holds; those before were left in the prefix cache.</summary>
    public int FirstHostBlock { get; set; }

    /// <summary>Leading tokens that were computed when it was swapped.</summary>
    public int SwappedCount { get; set; }

    /// <summary>The step that copies its blocks to the host is not done; it cannot come back before.</summary>
    public bool IsMovingOut { get; set; }

    /// <summary>Prompt tokens that the prefix cache held when the sequence first ran.</summary>
    public int CachedTokenCount { get; set; }

    /// <summary>True from the first time on that the whole prompt was in the cache.</summary>
    public bool IsPromptComputed { get; set; }

    /// <summary>When its reader stopped reading, in Stopwatch ticks; 0 while it reads.</summary>
    public long StalledSince { get; set; }

    /// <summary>True when the last token that may be generated is known or pending.</summary>
    public bool IsComplete => OutputCount + PendingCount >= MaxOutputCount;

    /// <summary>Known output tokens. The array is never overwritten below the count, so steps may keep it.</summary>
    public ReadOnlyMemory<int> Outputs => _outputs.AsMemory(0, OutputCount);

    /// <summary>Appends the sampled token of the oldest step in flight.</summary>
    public void Append(int tokenId)
    {
        if (OutputCount == _outputs.Length)
        {
            Array.Resize(ref _outputs, Math.Clamp(OutputCount * 2, 16, Math.Max(16, MaxOutputCount)));
        }

        _outputs[OutputCount++] = tokenId;
    }

    /// <summary>Copies known tokens.</summary>
    public void CopyTokens(int start, Span<int> destination)
    {
        int fromPrompt = Math.Clamp(Prompt.Length - start, 0, destination.Length);
        Prompt.AsSpan(Math.Min(start, Prompt.Length), fromPrompt).CopyTo(destination);
        if (fromPrompt < destination.Length)
        {
            _outputs.AsSpan(start + fromPrompt - Prompt.Length, destination.Length - fromPrompt).CopyTo(destination[fromPrompt..]);
        }
    }

    /// <summary>Prefix cache key of a block of known tokens; computed once.</summary>
    public UInt128 BlockKey(int block, PrefixCache cache)
    {
        Span<int> tokens = stackalloc int[cache.BlockSize];
        while (_blockKeyCount <= block)
        {
            if (_blockKeyCount == _blockKeys.Length)
            {
                Array.Resize(ref _blockKeys, Math.Max(4, _blockKeyCount * 2));
            }

            CopyTokens(_blockKeyCount * cache.BlockSize, tokens);
            UInt128 parent = _blockKeyCount == 0 ? request.RootKey : _blockKeys[_blockKeyCount - 1];
            _blockKeys[_blockKeyCount++] = cache.Key(parent, tokens);
        }

        return _blockKeys[block];
    }

    /// <summary>Key of the block before another.</summary>
    public UInt128 ParentKey(int block, PrefixCache cache) => block == 0 ? request.RootKey : BlockKey(block - 1, cache);
}

using Sluice.Sampling;

namespace Sluice.KvCache;

/// <summary>
/// How the memory of a device is used: weights, activations of the largest step, logits, and the KV cache with what is left. On a GPU
/// also the context, kernels, workspace and graphs, which are known before they are there by measurement only. The one formula of
/// the loader and of everything that predicts it.
/// </summary>
internal sealed record MemoryPlan
{
    /// <summary>
    /// What a GPU that nobody else uses has lost when its backend is open: 527 MiB for the context (H100, driver 580) and 64 MiB for the
    /// workspace of the GEMM library.
    /// </summary>
    public const long ContextBytes = 592L << 20;

    // Code of our kernels and of the GEMM library, and partial results of attention: 10 MiB for Llama-3.1-8B on an H100, and room for
    // models with more kinds of layers.
    private const long WorkspaceBytesOfGpu = 96L << 20;

    // 51 graphs of 32 layers took 51 MiB.
    private const long GraphBytesPerLayer = 40L << 10;

    // Rows whose logits are computed at once on a GPU. Beyond, the product is bound by arithmetic and gains nothing from more rows.
    private const int GpuLogitRows = 512;

    public required long WeightBytes { get; init; }

    public required long ActivationBytes { get; init; }

    /// <summary>Logits of the rows that are sampled in one go, and on a CPU the sampler's copy of them.</summary>
    public required long LogitsBytes { get; init; }

    /// <summary>Rows whose logits are computed in one go.</summary>
    public required int LogitRows { get; init; }

    /// <summary>Counts, masks and copies of the sampler, where they are taken at start-up.</summary>
    public long SamplerBytes { get; init; }

    /// <summary>Context of a GPU.</summary>
    public long FixedBytes { get; init; }

    /// <summary>Kernels and working memory of a GPU.</summary>
    public long WorkspaceBytes { get; init; }

    /// <summary>Graphs of a GPU.</summary>
    public long GraphBytes { get; init; }

    /// <summary>Block tables and the other integers of a step, counted on a GPU.</summary>
    public long StepBytes { get; init; }

    public required long KvBytesPerToken { get; init; }

    public required int BlockSize { get; init; }

    public required int BlockCount { get; init; }

    /// <summary>Longest prompt and completion together.</summary>
    public required int MaxModelLen { get; init; }

    /// <summary>Host memory for blocks of preempted sequences; 0 where none could ever be preempted.</summary>
    public long SwapBytes { get; init; }

    /// <summary>One line for the user when <see cref="MaxModelLen"/> is less than the model's own.</summary>
    public string? Notice { get; init; }

    public long KvBytes => KvBytesPerToken * BlockSize * BlockCount;

    /// <summary>Tokens that the KV cache holds.</summary>
    public long KvTokens => (long)BlockSize * BlockCount;

    /// <summary>All but the KV cache.</summary>
    public long OtherBytes => FixedBytes + WorkspaceBytes + GraphBytes + WeightBytes + ActivationBytes + LogitsBytes + SamplerBytes + StepBytes;

    /// <summary>Divides the memory.</summary>
    /// <exception cref="UserErrorException">The context that was asked for does not fit, or nothing does.</exception>
    public static MemoryPlan Create(MemoryPlanInputs inputs)
    {
        int wanted = CheckedModelLen(inputs.MaxModelLen, inputs.MaxPositions);
        MemoryPlan plan = WithoutCache(inputs);
        long perBlock = plan.KvBytesPerToken * inputs.BlockSize;
        long left = BudgetOf(inputs) - plan.OtherBytes;
        long budget = inputs.KvCacheMemoryBytes ?? Math.Min(left, inputs.DefaultKvBytes ?? left);
        long blocks = inputs.BlockCountOverride ?? (budget / perBlock);
        var advice = new MemoryPlanAdvice(inputs, plan, budget);
        if (blocks < 1)
        {
            throw advice.NoBlock(perBlock);
        }

        long fits = blocks * inputs.BlockSize;
        string? notice = null;
        if (wanted > fits)
        {
            if (inputs.MaxModelLen is not null)
            {
                throw advice.ContextTooLong(wanted, fits, blocks * perBlock);
            }

            notice = advice.ContextShortened(wanted, fits, blocks * perBlock);
            wanted = (int)fits;
        }

        // More than all sequences at full length could never be used.
        long mostUseful = (long)inputs.MaxSequences * ((wanted + inputs.BlockSize - 1) / inputs.BlockSize);
        if (inputs.BlockCountOverride is null)
        {
            blocks = Math.Min(Math.Min(blocks, mostUseful), int.MaxValue / inputs.BlockSize);
        }

        if (inputs.Gpu is { } gpu && plan.OtherBytes - plan.FixedBytes + (blocks * perBlock) > gpu.FreeBytes)
        {
            throw advice.MoreThanFree(gpu, plan.OtherBytes - plan.FixedBytes + (blocks * perBlock));
        }

        return plan with
        {
            BlockCount = (int)blocks,
            MaxModelLen = wanted,
            Notice = notice,
            SwapBytes = blocks >= mostUseful ? 0 : Math.Min(inputs.SwapSpaceBytes, mostUseful * perBlock),
        };
    }

    private static MemoryPlan WithoutCache(MemoryPlanInputs inputs)
    {
        bool isGpu = inputs.Gpu is not null;
        int logitRows = isGpu ? Math.Min(inputs.MaxSequences, GpuLogitRows) : CpuLogitRows(inputs.VocabularySize, inputs.MaxSequences);
        return new MemoryPlan
        {
            WeightBytes = inputs.Model.WeightBytes,
            ActivationBytes = inputs.Model.WorkspaceBytes,
            LogitRows = logitRows,
            LogitsBytes = (isGpu ? 1L : 2L) * logitRows * inputs.VocabularySize * sizeof(float),
            SamplerBytes = isGpu ? new SamplerLimits(inputs.VocabularySize, inputs.MaxSequences, logitRows, MaxLogprobs: -1).SizeBytes : 0,
            FixedBytes = isGpu ? ContextBytes : 0,
            WorkspaceBytes = isGpu ? WorkspaceBytesOfGpu : 0,
            StepBytes = isGpu ? StepBytesOf(inputs) : 0,
            GraphBytes = inputs.Gpu is { } gpu ? gpu.GraphCount * inputs.Model.LayerCount * GraphBytesPerLayer : 0,
            KvBytesPerToken = inputs.Model.KvBytesPerToken,
            BlockSize = inputs.BlockSize,
            BlockCount = 0,
            MaxModelLen = 0,
        };
    }

    private static long StepBytesOf(MemoryPlanInputs inputs)
    {
        int context = Math.Min(inputs.MaxModelLen ?? inputs.MaxPositions, inputs.MaxPositions);
        long blocks = (context + inputs.BlockSize - 1) / inputs.BlockSize;
        return sizeof(int) * ((inputs.MaxSequences * (blocks + 4)) + (3L * inputs.MaxBatchedTokens));
    }

    /// <summary>What the engine may take in all.</summary>
    private static long BudgetOf(MemoryPlanInputs inputs)
    {
        if (inputs.Gpu is not { } gpu)
        {
            return (long)(inputs.AvailableBytes * inputs.Utilization);
        }

        // As in vLLM: the share is of all memory, and nobody else may sit in it. Not asked where sizes are given otherwise.
        long budget = (long)(gpu.TotalBytes * inputs.Utilization);
        bool countsShare = inputs.KvCacheMemoryBytes is null && inputs.BlockCountOverride is null;
        return countsShare && gpu.FreeBytes + ContextBytes < budget ? throw MemoryPlanAdvice.GpuInUse(gpu, inputs.Utilization, budget) : budget;
    }

    // All sequences, within 64 MiB.
    private static int CpuLogitRows(int vocabularySize, int maxSequences) =>
        (int)Math.Clamp(64L * 1024 * 1024 / (sizeof(float) * (long)vocabularySize), 1, maxSequences);

    private static int CheckedModelLen(int? asked, int positions)
    {
        if (asked is int length && length > positions)
        {
            throw new UserErrorException(
                $"User-specified max_model_len ({length}) is greater than the derived max_model_len (max_position_embeddings={positions} " +
                $"in the model's config.json). Use --max-model-len {positions} or less.");
        }

        return asked is < 1 ? throw new UserErrorException($"--max-model-len must be at least 1, got {asked}.") : asked ?? positions;
    }
}

using Sluice.Models;

namespace Sluice.KvCache;

/// <summary>What the memory of a device is divided by.</summary>
internal sealed record MemoryPlanInputs
{
    /// <summary>Weights, activations and cache of the model.</summary>
    public required ModelMemory Model { get; init; }

    public required int VocabularySize { get; init; }

    /// <summary>Longest context that the model allows.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>Free memory of the device before the weights are loaded.</summary>
    public required long AvailableBytes { get; init; }

    /// <summary>Share of <see cref="AvailableBytes"/> that the engine may take.</summary>
    public required double Utilization { get; init; }

    /// <summary>Most bytes for the KV cache unless the user says otherwise; none for all that is left.</summary>
    public long? DefaultKvBytes { get; init; }

    /// <summary>Bytes for the KV cache that the user asked for.</summary>
    public long? KvCacheMemoryBytes { get; init; }

    public int? BlockCountOverride { get; init; }

    public required int BlockSize { get; init; }

    public required int MaxSequences { get; init; }

    /// <summary>The longest context that the user asked for.</summary>
    public int? MaxModelLen { get; init; }
}

/// <summary>
/// How the memory of a device is used: weights, activations of the largest step, logits, and the KV cache with what is left.
/// The one formula of the loader and of everything that predicts it.
/// </summary>
internal sealed record MemoryPlan
{
    private const double GiB = 1024.0 * 1024 * 1024;

    public required long WeightBytes { get; init; }

    public required long ActivationBytes { get; init; }

    /// <summary>Logits of the rows that are sampled in one go, with the sampler's copy of them.</summary>
    public required long LogitsBytes { get; init; }

    public required long KvBytesPerToken { get; init; }

    public required int BlockSize { get; init; }

    public required int BlockCount { get; init; }

    /// <summary>Longest prompt and completion together.</summary>
    public required int MaxModelLen { get; init; }

    /// <summary>One line for the user when <see cref="MaxModelLen"/> is less than the model's own.</summary>
    public string? Notice { get; init; }

    public long KvBytes => KvBytesPerToken * BlockSize * BlockCount;

    /// <summary>Tokens that the KV cache holds.</summary>
    public long KvTokens => (long)BlockSize * BlockCount;

    /// <summary>Divides the memory.</summary>
    /// <exception cref="UserErrorException">The context that was asked for does not fit, or nothing does.</exception>
    public static MemoryPlan Create(MemoryPlanInputs inputs)
    {
        int wanted = CheckedModelLen(inputs.MaxModelLen, inputs.MaxPositions);
        long logits = 2L * LogitRows(inputs.VocabularySize, inputs.MaxSequences) * inputs.VocabularySize * sizeof(float);
        long perToken = inputs.Model.KvBytesPerToken;
        long perBlock = perToken * inputs.BlockSize;

        long left = (long)(inputs.AvailableBytes * inputs.Utilization) - inputs.Model.WeightBytes - inputs.Model.WorkspaceBytes - logits;
        long budget = inputs.KvCacheMemoryBytes ?? Math.Min(left, inputs.DefaultKvBytes ?? left);
        long blocks = inputs.BlockCountOverride ?? (budget / perBlock);
        if (blocks < 1)
        {
            throw new UserErrorException(
                $"No available memory for the cache blocks: one block needs {Gibibytes(perBlock)} GiB, {Gibibytes(Math.Max(0, budget))} GiB are " +
                "available. Try increasing --kv-cache-memory-bytes, or use a smaller model or machine with more memory.");
        }

        long fits = blocks * inputs.BlockSize;
        string? notice = null;
        if (wanted > fits)
        {
            if (inputs.MaxModelLen is not null)
            {
                throw new UserErrorException(
                    $"To serve at least one request with the model's max seq len ({wanted}), ({Gibibytes(perToken * wanted)} GiB KV cache is " +
                    $"needed, which is larger than the available KV cache memory ({Gibibytes(blocks * perBlock)} GiB). Based on the available " +
                    $"memory, the estimated maximum model length is {fits}. Try increasing --kv-cache-memory-bytes or decreasing " +
                    "--max-model-len when initializing the engine.");
            }

            notice = $"The KV cache memory ({Gibibytes(blocks * perBlock)} GiB) holds {fits} of the model's {wanted} positions: " +
                $"--max-model-len is set to {fits}. Raise --kv-cache-memory-bytes for more.";
            wanted = (int)fits;
        }

        if (inputs.BlockCountOverride is null)
        {
            // More than all sequences at full length could never be used.
            long mostUseful = (long)inputs.MaxSequences * ((wanted + inputs.BlockSize - 1) / inputs.BlockSize);
            blocks = Math.Min(Math.Min(blocks, mostUseful), int.MaxValue / inputs.BlockSize);
        }

        return new MemoryPlan
        {
            WeightBytes = inputs.Model.WeightBytes,
            ActivationBytes = inputs.Model.WorkspaceBytes,
            LogitsBytes = logits,
            KvBytesPerToken = perToken,
            BlockSize = inputs.BlockSize,
            BlockCount = (int)blocks,
            MaxModelLen = wanted,
            Notice = notice,
        };
    }

    /// <summary>Rows of logits that are computed at once: all sequences, within 64 MiB.</summary>
    public static int LogitRows(int vocabularySize, int maxSequences) =>
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

    private static string Gibibytes(long bytes) => bytes >= 0.01 * GiB ? $"{bytes / GiB:F2}" : $"{bytes / GiB:G3}";
}

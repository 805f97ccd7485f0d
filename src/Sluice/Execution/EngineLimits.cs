using Sluice.Compute;
using Sluice.Compute.Cpu;
using Sluice.Models;
using Sluice.Scheduling;

namespace Sluice.Execution;

/// <summary>Turns what the user said and left out into the limits of a step.</summary>
internal static class EngineLimits
{
    private const long GiB = 1L << 30;

    private const long GpuSwapSpaceBytes = 4 * GiB;

    // Shares of the machine's memory that may be pinned, unasked and asked: the rest is everybody else's.
    private const double MostDefaultSwapSpace = 0.25;
    private const double MostSwapSpace = 0.7;

    /// <exception cref="UserErrorException">The options contradict each other or are out of range.</exception>
    public static SchedulerOptions Resolve(EngineOptions options, ModelConfig config, IBackend backend)
    {
        RequirePositive(options.MaxNumBatchedTokens, "--max-num-batched-tokens");
        RequirePositive(options.MaxNumSeqs, "--max-num-seqs");
        RequirePositive(options.BlockSize, "--block-size");
        RequirePositive(options.NumGpuBlocksOverride, "--num-gpu-blocks-override");
        if (options.BlockSize is int size && size is not (1 or 2 or 4 or 8) && size % 16 != 0)
        {
            throw new UserErrorException($"--block-size must be 1, 2, 4, 8 or a multiple of 16, got {size}.");
        }

        if (options.KvCacheMemoryBytes is <= 0)
        {
            throw new UserErrorException($"--kv-cache-memory-bytes must be at least 1, got {options.KvCacheMemoryBytes}.");
        }

        if (options.LongPrefillTokenThreshold < 0)
        {
            throw new UserErrorException($"--long-prefill-token-threshold must be at least 0, got {options.LongPrefillTokenThreshold}.");
        }

        if (!(options.GpuMemoryUtilization is > 0 and <= 1))
        {
            throw new UserErrorException($"--gpu-memory-utilization must be in (0, 1], got {options.GpuMemoryUtilization}.");
        }

        if (options.SwapSpaceGiB is double swap && !(swap >= 0 && double.IsFinite(swap)))
        {
            throw new UserErrorException($"--swap-space must be at least 0 GiB, got {swap}.");
        }

        _ = GraphSizes.Resolve(options, maxSequences: 1);
        bool isGpu = options.Device == DeviceKind.Cuda;
        if (isGpu && options.BlockSize is int blockSize && blockSize % 16 != 0)
        {
            throw new UserErrorException($"--block-size must be a multiple of 16 on a GPU, got {blockSize}.");
        }

        if (!isGpu && options.KvCacheDType == DType.Float8E4M3)
        {
            throw new UserErrorException("--kv-cache-dtype fp8 needs a GPU; on the CPU the KV cache is float32, bfloat16 or float16.");
        }

        (int defaultTokens, int defaultSequences) = Defaults(isGpu ? backend.Memory.TotalBytes : null);
        int context = Math.Min(options.MaxModelLen ?? config.MaxPositions, config.MaxPositions);
        int tokens = options.MaxNumBatchedTokens
            ?? Math.Max(defaultTokens, options.EnableChunkedPrefill ? options.MaxNumSeqs ?? 0 : context);
        int sequences = options.MaxNumSeqs ?? Math.Min(defaultSequences, tokens);
        if (tokens < sequences)
        {
            throw new UserErrorException(
                $"max_num_batched_tokens ({tokens}) must be greater than or equal to max_num_seqs ({sequences}).");
        }

        if (!options.EnableChunkedPrefill && tokens < context)
        {
            throw new UserErrorException(
                $"max_num_batched_tokens ({tokens}) is smaller than max_model_len ({context}). Without chunked prefill longer prompts could " +
                "never run. Increase --max-num-batched-tokens, decrease --max-model-len, or leave chunked prefill on.");
        }

        return new SchedulerOptions
        {
            MaxBatchedTokens = tokens,
            MaxSequences = sequences,
            BlockSize = options.BlockSize ?? backend.DefaultBlockSize,
            ChunkedPrefill = options.EnableChunkedPrefill,
            LongPrefillThreshold = options.LongPrefillTokenThreshold,
        };
    }

    /// <summary>
    /// vLLM's token budget and sequences of a server's step: they follow the memory of the device, and with it its speed. 8192 tokens take
    /// an H100 about 0.2 s of a 8B model, the time that a decode may have to wait beside a prompt.
    /// </summary>
    /// <param name="gpuBytes">Memory of the GPU; none for a CPU.</param>
    public static (int Tokens, int Sequences) Defaults(long? gpuBytes) => gpuBytes switch
    {
        null => (2048, 128),
        >= 160 * GiB => (16384, 1024),
        >= 70 * GiB => (8192, 1024),
        _ => (2048, 256),
    };

    /// <summary>Host memory for blocks of preempted sequences, as vLLM had it: 4 GiB on a GPU.</summary>
    /// <exception cref="UserErrorException">More than most of the machine's memory.</exception>
    public static long SwapSpaceBytes(EngineOptions options)
    {
        if (options.PreemptionMode == PreemptionMode.Recompute)
        {
            return 0;
        }

        long total = SystemMemory.Read().TotalBytes;
        if (options.SwapSpaceGiB is not double asked)
        {
            return options.Device == DeviceKind.Cuda ? Math.Min(GpuSwapSpaceBytes, (long)(total * MostDefaultSwapSpace)) : 0;
        }

        long bytes = (long)(asked * GiB);
        return bytes <= total * MostSwapSpace
            ? bytes
            : throw new UserErrorException(
                $"Too large swap space. {asked:0.##} GiB out of the {total / (double)GiB:F2} GiB total CPU memory is allocated for the swap space: " +
                $"use --swap-space {Math.Floor(total * MostSwapSpace / GiB)} or less.");
    }

    private static void RequirePositive(int? value, string flag)
    {
        if (value is < 1)
        {
            throw new UserErrorException($"{flag} must be at least 1, got {value}.");
        }
    }
}

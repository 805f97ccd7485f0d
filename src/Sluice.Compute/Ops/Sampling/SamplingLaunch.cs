using Sluice.Compute.Cuda;

namespace Sluice.Compute.Ops.Sampling;

/// <summary>How the kernels over <c>LogitsRow.cuh</c> are launched: a cluster of blocks a row.</summary>
internal static class SamplingLaunch
{
    // As in LogitsRow.cuh: ROW_THREADS, ROW_BLOCK, ROW_CONTROL_BYTES, ROW_BINS, ROW_LIST, MAX_CLUSTER.
    internal const int Threads = 512;
    private const int BlockLogits = 128;
    private const int ControlBytes = 1024;
    private const int Bins = 2048;
    private const int ListLength = 2048;
    private const int MaxCluster = 8;

    // A thread block for less than that costs more in exchange than it reads.
    private const int MinBlocks = 8;

    private const int FirstCapabilityWithClusters = 90;

    // Sums of 2^-42ths of a weight must fit in 63 bits.
    private const int MaxVocabulary = 1 << 21;

    /// <summary>The shape for rows of logits. Results do not depend on it.</summary>
    public static LaunchShape Shape(CudaContext context, int rows, int vocabulary)
    {
        int cluster = context.Device.ComputeCapability >= FirstCapabilityWithClusters
            ? ClusterSize(rows, vocabulary, context.Device.MultiprocessorCount)
            : 1;
        return new LaunchShape(rows * cluster, Threads, SharedBytes(vocabulary, cluster), ClusterX: cluster, IsProgrammatic: true);
    }

    /// <summary>Throws unless the kernels can take such rows.</summary>
    public static void RequireVocabulary(Tensor logits, string operation) =>
        Guard.RequireShapes(logits.Type == DType.Float32 && logits.Columns is > 0 and <= MaxVocabulary, operation);

    /// <summary>
    /// Thread blocks a row: as many as the chip has multiprocessors for. More only wait for each other: 64 rows of 128,256 logits on an
    /// H100 take 17.4, 20.7 and 22.9 us with 2, 4 and 8 (the most likely token), 61, 100 and 129 us (top-k 50 and top-p 0.9).
    /// </summary>
    internal static int ClusterSize(int rows, int vocabulary, int multiprocessors)
    {
        int size = MaxCluster;
        while (size > 1 && ((long)rows * size > multiprocessors || BlocksOf(vocabulary, size) < MinBlocks))
        {
            size /= 2;
        }

        return size;
    }

    internal static int SharedBytes(int vocabulary, int cluster)
    {
        int blocks = BlocksOf(vocabulary, cluster);
        return ControlBytes + (Bins * sizeof(uint)) + (Math.Max(ListLength, blocks) * sizeof(ulong)) + (blocks * sizeof(uint));
    }

    /// <summary>Blocks of logits a thread block.</summary>
    private static int BlocksOf(int vocabulary, int cluster)
    {
        int blocks = (vocabulary + BlockLogits - 1) / BlockLogits;
        return (blocks + cluster - 1) / cluster;
    }
}

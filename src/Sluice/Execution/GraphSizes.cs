namespace Sluice.Execution;

/// <summary>
/// The numbers of decoding sequences for which a CUDA graph is captured. A step between two sizes is padded to the larger one, so
/// that small batches, where a row costs most, have a size close by: 1, 2, 4, then every 8th to 256, every 16th beyond.
/// </summary>
internal static class GraphSizes
{
    // Beyond this a step computes for so long that launching its operations one by one is hidden anyway.
    private const int LargestStandard = 512;

    /// <param name="options">What the user asked for.</param>
    /// <param name="maxSequences">Most sequences of a step.</param>
    /// <returns>Rising; empty for no graphs.</returns>
    /// <exception cref="UserErrorException">The sizes that were asked for make no sense.</exception>
    public static int[] Resolve(EngineOptions options, int maxSequences)
    {
        int? largest = options.MaxCudaGraphCaptureSize;
        if (largest is < 0)
        {
            throw new UserErrorException($"--max-cudagraph-capture-size must be at least 0, got {largest}.");
        }

        if (options.EnforceEager)
        {
            return [];
        }

        if (options.CudaGraphCaptureSizes is not { } asked)
        {
            return Standard(Math.Min(largest ?? LargestStandard, maxSequences));
        }

        if (asked.Any(static size => size < 1))
        {
            throw new UserErrorException($"--cudagraph-capture-sizes must be at least 1, got {string.Join(' ', asked)}.");
        }

        if (largest is int limit && asked.Count > 0 && asked.Max() != limit)
        {
            throw new UserErrorException(
                $"--max-cudagraph-capture-size ({limit}) should be consistent with the largest of --cudagraph-capture-sizes ({asked.Max()}): " +
                "leave one of them out.");
        }

        // A step never has more sequences: larger graphs would never run.
        return [.. asked.Where(size => size <= maxSequences).Distinct().Order()];
    }

    private static int[] Standard(int largest)
    {
        var sizes = new List<int>();
        for (int size = 1; size < largest; size += size < 4 ? size : size < 8 ? 4 : size < 256 ? 8 : 16)
        {
            sizes.Add(size);
        }

        if (largest > 0)
        {
            sizes.Add(largest);
        }

        return [.. sizes];
    }
}

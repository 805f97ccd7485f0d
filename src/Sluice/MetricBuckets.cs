namespace Sluice;

/// <summary>Upper bounds of vLLM's histograms.</summary>
internal static class MetricBuckets
{
    public static readonly double[] FirstToken =
    [
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
    ];

    public static readonly double[] PerToken =
    [
        0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
    ];

    public static readonly double[] Request =
    [
        0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
    ];

    public static readonly double[] Choices = [1, 2, 5, 10, 20];

    public static readonly double[] Iteration = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384];

    /// <summary>1, 2, 5, 10, 20, 50 ... as far as <paramref name="max"/>.</summary>
    public static double[] OneTwoFive(int max)
    {
        List<double> bounds = [];
        for (long decade = 1; decade <= max; decade *= 10)
        {
            foreach (int factor in (ReadOnlySpan<int>)[1, 2, 5])
            {
                if (decade * factor <= max)
                {
                    bounds.Add(decade * factor);
                }
            }
        }

        return [.. bounds];
    }
}

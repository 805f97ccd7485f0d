using System.Globalization;
using Sluice.Execution;
using Sluice.KvCache;

namespace Sluice.Cli.Startup;

/// <summary>What the start took, in lines for the log.</summary>
internal static class StartupLines
{
    private const double GiB = 1024.0 * 1024 * 1024;
    private const int NameWidth = 30;

    /// <summary>A table of the GPU's memory, planned against measured; nothing on a CPU.</summary>
    public static IEnumerable<string> Memory(StartupReport report, MemoryPlan plan, double utilization)
    {
        if (report.TotalBytes == 0)
        {
            yield break;
        }

        yield return Row($"GPU memory in GiB", "planned", "measured");
        foreach (StartupStage stage in report.Stages.Where(static stage => stage.PlannedBytes > 0))
        {
            yield return Row("  " + stage.Name, Text(stage.PlannedBytes), Text(stage.MeasuredBytes));
        }

        yield return Row(
            "  in all", Text(plan.OtherBytes + plan.KvBytes), Text(report.Stages.Sum(static stage => stage.MeasuredBytes)))
            + string.Create(CultureInfo.InvariantCulture, $"   of {report.TotalBytes / GiB:F2} (gpu_memory_utilization={utilization:0.##} of it is {report.TotalBytes * utilization / GiB:F2})");
        if (plan.SwapBytes > 0)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"Swap space: {plan.SwapBytes / GiB:F2} GiB of host memory, taken in the background");
        }
    }

    /// <summary>How many kernels were compiled for the GPU, and how many were kept from an earlier start; null on a CPU.</summary>
    public static string? Kernels(StartupReport report)
    {
        if (report.Kernels is not { } kernels)
        {
            return null;
        }

        string compiled = kernels.CompiledCount == 0
            ? "none compiled"
            : string.Create(CultureInfo.InvariantCulture, $"{kernels.CompiledCount} compiled by NVRTC {kernels.CompilerVersion} in {kernels.CompileTime.TotalSeconds:F1} s, all threads together");
        return $"GPU kernels: {compiled}, {kernels.CachedCount} from the cache ({kernels.Cache.Folder ?? "none"})";
    }

    /// <summary>Seconds of each part, those that took a moment left out.</summary>
    public static string Times(StartupReport report) => string.Join(", ", report.Stages
        .Where(static stage => stage.Elapsed.TotalSeconds >= 0.005)
        .Select(static stage => string.Create(CultureInfo.InvariantCulture, $"{stage.Name} {stage.Elapsed.TotalSeconds:F2}")));

    private static string Row(string name, string planned, string measured) => $"{name.PadRight(NameWidth)} {planned,8} {measured,8}";

    private static string Text(long bytes) => (bytes / GiB).ToString("F2", CultureInfo.InvariantCulture);
}

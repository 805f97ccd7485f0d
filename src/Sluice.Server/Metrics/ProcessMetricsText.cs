using System.Diagnostics;

namespace Sluice.Server.Metrics;

/// <summary>What Prometheus' client libraries tell of their process.</summary>
internal static class ProcessMetricsText
{
    private const string OpenFilesFolder = "/proc/self/fd";
    private static readonly double StartTime = ReadStartTime();

    public static void Write(PrometheusText text)
    {
        Single(text, "process_cpu_seconds_total", "counter", "User and system CPU time spent, in seconds.", CpuSeconds());
        Single(text, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", Environment.WorkingSet);
        Single(text, "process_start_time_seconds", "gauge", "Start time of the process since the Unix epoch, in seconds.", StartTime);
        if (Directory.Exists(OpenFilesFolder))
        {
            int open = Directory.EnumerateFileSystemEntries(OpenFilesFolder).Count();
            Single(text, "process_open_fds", "gauge", "Number of open file descriptors.", open);
        }

        Single(text, "dotnet_gc_heap_size_bytes", "gauge", "Size of the managed heap in bytes.", GC.GetTotalMemory(false));
        Single(text, "dotnet_gc_allocated_bytes_total", "counter", "Bytes of managed memory allocated.", GC.GetTotalAllocatedBytes());
        Single(text, "dotnet_gc_collections_total", "counter", "Garbage collections of all generations.", Collections());
        Single(text, "dotnet_gc_pause_seconds_total", "counter", "Time spent in garbage collection pauses.", GC.GetTotalPauseDuration().TotalSeconds);
    }

    private static void Single(PrometheusText text, string name, string type, string help, double value)
    {
        text.Family(name, type, help);
        text.Sample(name, "", value);
    }

    private static double CpuSeconds() => OperatingSystem.IsIOS() || OperatingSystem.IsTvOS() ? 0 : Environment.CpuUsage.TotalTime.TotalSeconds;

    private static double Collections()
    {
        long count = 0;
        for (int generation = 0; generation <= GC.MaxGeneration; generation++)
        {
            count += GC.CollectionCount(generation);
        }

        return count;
    }

    private static double ReadStartTime()
    {
        using Process process = Process.GetCurrentProcess();
        return new DateTimeOffset(process.StartTime).ToUnixTimeMilliseconds() / 1000.0;
    }
}

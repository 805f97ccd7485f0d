using System.Globalization;

namespace Sluice.Compute.Cpu;

/// <summary>Main memory that this process may use: the machine's, or the control group's limit where that is lower.</summary>
internal static class SystemMemory
{
    /// <summary>Total bytes, and bytes that can be taken now without swapping.</summary>
    public static (long TotalBytes, long AvailableBytes) Read()
    {
        // The runtime's own limits (such as a job object) where there is no /proc; inside a container it would be its heap limit,
        // which is lower than what native memory may take.
        long total = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        long available = Math.Max(0, total - Environment.WorkingSet);
        if (OperatingSystem.IsLinux())
        {
            foreach (string line in ReadLines("/proc/meminfo"))
            {
                if (line.StartsWith("MemTotal:", StringComparison.Ordinal))
                {
                    total = LimitBytes(KibibytesOf(line));
                }
                else if (line.StartsWith("MemAvailable:", StringComparison.Ordinal))
                {
                    available = KibibytesOf(line);
                }
            }

            available = Math.Min(available, ControlGroupHeadroom(total));
        }

        return (total, Math.Min(total, available));
    }

    private static long LimitBytes(long machineTotal)
    {
        long limit = ReadNumber("/sys/fs/cgroup/memory.max") ?? ReadNumber("/sys/fs/cgroup/memory/memory.limit_in_bytes") ?? long.MaxValue;
        return Math.Min(machineTotal, limit);
    }

    private static long ControlGroupHeadroom(long total)
    {
        // Page cache of the group counts as used there, but is given back under pressure.
        if (ReadNumber("/sys/fs/cgroup/memory.current") is { } current)
        {
            return total - current + ReadField("/sys/fs/cgroup/memory.stat", "inactive_file ");
        }

        if (ReadNumber("/sys/fs/cgroup/memory/memory.usage_in_bytes") is { } usage)
        {
            return total - usage + ReadField("/sys/fs/cgroup/memory/memory.stat", "total_inactive_file ");
        }

        return long.MaxValue;
    }

    private static long ReadField(string path, string prefix)
    {
        foreach (string line in ReadLines(path))
        {
            if (line.StartsWith(prefix, StringComparison.Ordinal)
                && long.TryParse(line.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out long value))
            {
                return value;
            }
        }

        return 0;
    }

    private static long? ReadNumber(string path)
    {
        string[] lines = ReadLines(path);
        return lines.Length > 0 && long.TryParse(lines[0], NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : null;
    }

    private static string[] ReadLines(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllLines(path) : [];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    // "MemTotal:       24684096 kB"
    private static long KibibytesOf(string line)
    {
        ReadOnlySpan<char> rest = line.AsSpan(line.IndexOf(':', StringComparison.Ordinal) + 1).Trim();
        int space = rest.IndexOf(' ');
        return long.Parse(space < 0 ? rest : rest[..space], CultureInfo.InvariantCulture) * 1024;
    }
}

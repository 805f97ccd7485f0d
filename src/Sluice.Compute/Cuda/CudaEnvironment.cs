namespace Sluice.Compute.Cuda;

/// <summary>
/// What the environment says about where CUDA libraries and the kernel cache lie. Read here and not by the program, because whoever
/// uses the library in a program of their own has the same machine; it chooses places, never code.
/// </summary>
internal static class CudaEnvironment
{
    /// <summary>Value of a variable; null when it is not set or empty.</summary>
    public static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    /// <summary>
    /// Folder of compiled kernels: <c>SLUICE_CACHE_DIR/kernels</c>, else <c>XDG_CACHE_HOME/sluice/kernels</c>, else
    /// <c>~/.cache/sluice/kernels</c> (<c>%LOCALAPPDATA%\sluice\kernels</c> on Windows). Null where the user has no home.
    /// </summary>
    public static string? KernelCacheFolder(Func<string, string?> variable)
    {
        if (variable("SLUICE_CACHE_DIR") is { Length: > 0 } own)
        {
            return Path.Combine(own, "kernels");
        }

        if (variable("XDG_CACHE_HOME") is { Length: > 0 } cache)
        {
            return Path.Combine(cache, "sluice", "kernels");
        }

        if (OperatingSystem.IsWindows())
        {
            return variable("LOCALAPPDATA") is { Length: > 0 } data ? Path.Combine(data, "sluice", "kernels") : null;
        }

        return variable("HOME") is { Length: > 0 } home ? Path.Combine(home, ".cache", "sluice", "kernels") : null;
    }
}

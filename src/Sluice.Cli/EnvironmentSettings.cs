namespace Sluice.Cli;

/// <summary>
/// What the environment says to the program: secrets and habits of the machine; nothing in it chooses between code paths. The only other
/// reader of variables is <see cref="Compute.Cuda.CudaEnvironment"/>, for the places of CUDA's libraries and of compiled kernels.
/// </summary>
internal sealed record EnvironmentSettings
{
    /// <summary>Key that clients send, as <c>--api-key</c>.</summary>
    public string? ApiKey { get; init; }

    /// <summary>Folder under which Hugging Face keeps downloaded models.</summary>
    public required string HuggingFaceCache { get; init; }

    /// <summary>Log level, as <c>--uvicorn-log-level</c>.</summary>
    public string? LoggingLevel { get; init; }

    /// <summary>Seconds between two throughput lines.</summary>
    public double? LogStatsIntervalSeconds { get; init; }

    /// <summary>Address to listen on, as <c>--host</c>.</summary>
    public string? HostAddress { get; init; }

    public static EnvironmentSettings Read() => Read(Environment.GetEnvironmentVariable);

    /// <param name="variable">Gives the value of a variable; null when it is not set.</param>
    public static EnvironmentSettings Read(Func<string, string?> variable)
    {
        string? Set(string name) => variable(name) is { Length: > 0 } value ? value : null;

        string cache = Set("XDG_CACHE_HOME") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        string home = Set("HF_HOME") ?? Path.Combine(cache, "huggingface");
        return new EnvironmentSettings
        {
            ApiKey = Set("VLLM_API_KEY"),
            HuggingFaceCache = Set("HF_HUB_CACHE") ?? Path.Combine(home, "hub"),
            LoggingLevel = Set("VLLM_LOGGING_LEVEL")?.ToLowerInvariant(),
            LogStatsIntervalSeconds = Set("VLLM_LOG_STATS_INTERVAL") is { } interval ? Seconds("VLLM_LOG_STATS_INTERVAL", interval) : null,
            HostAddress = Set("VLLM_HOST_IP"),
        };
    }

    private static double Seconds(string name, string text) =>
        double.TryParse(text, out double seconds) && seconds > 0 && double.IsFinite(seconds)
            ? seconds
            : throw new UserErrorException($"{name}={text} is not a number of seconds above 0.");
}

using System.Text.Json;

namespace Sluice.Server;

/// <summary>In which form the throughput line is written.</summary>
public enum StatsLineFormat
{
    /// <summary>vLLM's present line: Running, Waiting, Prefix cache hit rate.</summary>
    V1,

    /// <summary>vLLM's older line, which also names swapped and pending requests.</summary>
    V0,
}

/// <summary>How message content reaches a chat template.</summary>
public enum ChatContentFormat
{
    /// <summary>As the template wants it: parts where it walks over them, else one text.</summary>
    Auto,

    /// <summary>Always one text; parts are joined with line feeds.</summary>
    String,

    /// <summary>Always a list of parts.</summary>
    OpenAi,
}

/// <summary>Everything the HTTP server is started with; names are those of vLLM's flags.</summary>
public sealed record ServerOptions
{
    /// <summary>Address or name to listen on; none for all addresses.</summary>
    public string? Host { get; init; }

    /// <summary>TCP port; 0 for any that is free.</summary>
    public int Port { get; init; } = 8000;

    /// <summary>Path of a Unix domain socket to listen on in place of host and port.</summary>
    public string? Uds { get; init; }

    /// <summary>Names that clients may give as model; the first is the one that answers carry. None: the engine's model.</summary>
    public IReadOnlyList<string> ServedModelNames { get; init; } = [];

    /// <summary>Keys of which a client must send one as bearer token; none for an open server.</summary>
    public IReadOnlyList<string> ApiKeys { get; init; } = [];

    /// <summary>Path under which a proxy publishes this server; requests come with or without it.</summary>
    public string? RootPath { get; init; }

    /// <summary>CORS: origins, or <c>*</c>.</summary>
    public IReadOnlyList<string> AllowedOrigins { get; init; } = ["*"];

    /// <summary>CORS: methods, or <c>*</c>.</summary>
    public IReadOnlyList<string> AllowedMethods { get; init; } = ["*"];

    /// <summary>CORS: headers, or <c>*</c>.</summary>
    public IReadOnlyList<string> AllowedHeaders { get; init; } = ["*"];

    /// <summary>CORS: whether browsers may send credentials.</summary>
    public bool AllowCredentials { get; init; }

    /// <summary>Answer with the <c>X-Request-Id</c> of the request, or a new one.</summary>
    public bool EnableRequestIdHeaders { get; init; }

    /// <summary>How long running requests may go on after SIGTERM; zero ends them at once.</summary>
    public TimeSpan ShutdownTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Longest request body, in bytes.</summary>
    public long MaxRequestBodyBytes { get; init; } = 32L * 1024 * 1024;

    /// <summary>Bytes that the bodies of all requests together may take while they are read; more are answered with 503.</summary>
    public long MaxBufferedBodyBytes { get; init; } = 512L * 1024 * 1024;

    /// <summary>Connections at a time; more are closed.</summary>
    public int MaxConnections { get; init; } = 16384;

    /// <summary>Choices that may wait for the engine; more are answered with 503 and Retry-After.</summary>
    public int MaxWaitingRequests { get; init; } = 16384;

    /// <summary>Role of the answers to chats.</summary>
    public string ResponseRole { get; init; } = "assistant";

    /// <summary>Let requests bring their own <c>chat_template</c>.</summary>
    public bool TrustRequestChatTemplate { get; init; }

    /// <summary>Form in which message content reaches the chat template.</summary>
    public ChatContentFormat ChatTemplateContentFormat { get; init; }

    /// <summary>JSON object of variables for the chat template; a request's own win.</summary>
    public JsonElement? DefaultChatTemplateKwargs { get; init; }

    /// <summary>Leave tools out of the prompt when <c>tool_choice</c> is <c>none</c>.</summary>
    public bool ExcludeToolsWhenToolChoiceNone { get; init; }

    /// <summary>Name of the parser that splits thinking from answers: <c>deepseek_r1</c>, <c>qwen3</c>; none to keep the text whole.</summary>
    public string? ReasoningParser { get; init; }

    /// <summary>Write tokens in logprobs as <c>token_id:123</c>.</summary>
    public bool ReturnTokensAsTokenIds { get; init; }

    /// <summary>Tell in <c>usage</c> how many prompt tokens came from the cache.</summary>
    public bool EnablePromptTokensDetails { get; init; }

    /// <summary>Send usage in every stream, on each chunk.</summary>
    public bool EnableForceIncludeUsage { get; init; }

    /// <summary>Tokens a streamed chunk, after the first.</summary>
    public int StreamInterval { get; init; } = 1;

    /// <summary>No throughput line.</summary>
    public bool DisableLogStats { get; init; }

    /// <summary>Form of the throughput line.</summary>
    public StatsLineFormat LogStatsFormat { get; init; }

    /// <summary>Time between throughput lines.</summary>
    public TimeSpan LogStatsInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Log a line for each request with its parameters.</summary>
    public bool EnableLogRequests { get; init; }

    /// <summary>Most characters of a prompt in a log line; none for all.</summary>
    public int? MaxLogLength { get; init; }

    /// <summary>No line for each HTTP request.</summary>
    public bool DisableAccessLog { get; init; }

    /// <summary>
    /// Show metrics under names that vLLM has retired too, such as <c>gpu_cache_usage_perc</c>; <c>num_requests_swapped</c> is
    /// always there.
    /// </summary>
    public bool ShowHiddenMetrics { get; init; }

    /// <summary>Where log lines go; none for standard output.</summary>
    public TextWriter? Log { get; init; }
}

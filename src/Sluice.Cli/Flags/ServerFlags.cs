using static Sluice.Cli.Flags.FlagRow;

namespace Sluice.Cli.Flags;

/// <summary>Flags of <c>sluice serve</c> about HTTP, chat and logs; <see cref="ServerOptionsBinder"/> reads them.</summary>
internal static class ServerFlags
{
    public static IReadOnlyList<Flag> Rows { get; } =
    [
        .. Group(
            "HTTP",
            String("host", "Address to listen on.", "0.0.0.0").In(FlagScope.Serve),
            Integer("port", "Port to listen on; 0 for any free one.", "8000", 0, 65535).In(FlagScope.Serve),
            String("uds", "Unix domain socket to listen on, in place of host and port.").In(FlagScope.Serve),
            List("api-key", "Keys that clients may send as bearer token.", "$VLLM_API_KEY").In(FlagScope.Serve | FlagScope.Clients),
            String("root-path", "Path under which a proxy publishes this server.").In(FlagScope.Serve),
            Json("allowed-origins", "JSON list of origins for CORS.", "[\"*\"]").In(FlagScope.Serve),
            Json("allowed-methods", "JSON list of methods for CORS.", "[\"*\"]").In(FlagScope.Serve),
            Json("allowed-headers", "JSON list of headers for CORS.", "[\"*\"]").In(FlagScope.Serve),
            Switch("allow-credentials", "Allow credentials for CORS.").In(FlagScope.Serve),
            Switch("enable-request-id-headers", "Answer with the X-Request-Id of the request.").In(FlagScope.Serve),
            Bytes("max-request-size", "Longest request body; longer ones are answered with 413.", "32MiB").In(FlagScope.Serve),
            Integer("max-connections", "Connections at a time; more are closed.", "16384", 1).In(FlagScope.Serve),
            Integer("max-waiting-requests", "Completions that may wait for the engine; more are answered with 503 and Retry-After.", "16384", 1).In(FlagScope.Serve),
            Number("shutdown-timeout", "Seconds that requests in flight may take after SIGTERM; 0 ends them at once.", "60", 0, 86400).In(FlagScope.Serve)),
        .. Group(
            "OpenAI API",
            List("served-model-name", "Names under which the model is served; the first is the one that answers carry.", "the model").In(FlagScope.Serve),
            String("chat-template", "File with a chat template, or the template itself.").In(FlagScope.Serve | FlagScope.Chat),
            Json("default-chat-template-kwargs", "JSON object of variables for the chat template; a request's own win.").In(FlagScope.Serve),
            Choice("chat-template-content-format", "How message content reaches the template.", "auto", "auto", "string", "openai").In(FlagScope.Serve),
            Switch("trust-request-chat-template", "Let requests bring their own chat_template.").In(FlagScope.Serve),
            Switch("exclude-tools-when-tool-choice-none", "Leave tools out of the prompt when tool_choice is none.").In(FlagScope.Serve),
            String("response-role", "Role of answers.", "assistant").In(FlagScope.Serve),
            Choice("reasoning-parser", "Split the model's thinking off its answers.", "none", "", "none", "deepseek_r1", "qwen3").In(FlagScope.Serve),
            Switch("return-tokens-as-token-ids", "Write tokens as token_id:123 in logprobs.").In(FlagScope.Serve),
            Switch("enable-prompt-tokens-details", "Tell cached tokens in usage.").In(FlagScope.Serve),
            Switch("enable-force-include-usage", "Send usage in every stream.").In(FlagScope.Serve),
            Integer("stream-interval", "Tokens a streamed chunk.", "1", 1).In(FlagScope.Serve)),
        .. Group(
            "Logs",
            Switch("disable-log-stats", "No throughput line every 10 seconds.").In(FlagScope.Engine),
            Choice("log-stats-format", "Form of the throughput line; v0 is vLLM's older one with Swapped and Pending.", "v1", "v1", "v0").In(FlagScope.Serve),
            Switch("enable-log-requests", "Log each request.").In(FlagScope.Serve),
            Integer("max-log-len", "Most characters of a prompt in a log line.").In(FlagScope.Serve),
            String("show-hidden-metrics-for-version", "Show metrics under names that vLLM has retired too; the value is a version of vLLM's, such as 0.8.").In(FlagScope.Serve),
            Choice("uvicorn-log-level", "Least serious lines that are written; from warning on there are no lines about start-up, throughput and HTTP requests.", "info", "critical", "error", "warning", "info", "debug", "trace").In(FlagScope.Serve),
            Switch("disable-uvicorn-access-log", "No line for each HTTP request.").In(FlagScope.Serve)),
        .. Group(
            "Accepted, not needed",
            NotNeeded("enable-server-load-tracking", FlagKind.Switch, "Count requests in flight for GET /load.", "GET /load counts them anyway").In(FlagScope.Serve),
            NotNeeded("disable-fastapi-docs", FlagKind.Switch, "No /docs and /openapi.json.", "there is no /docs page").In(FlagScope.Serve),
            NotNeeded("h11-max-incomplete-event-size", FlagKind.Integer, "Limit of the HTTP parser.", "use --max-request-size").In(FlagScope.Serve),
            NotNeeded("h11-max-header-count", FlagKind.Integer, "Limit of the HTTP parser.", "Kestrel takes 100 headers of 32 KiB in all").In(FlagScope.Serve),
            NotNeeded("enable-log-deltas", FlagKind.Switch, "Log parts of streams.", "answers are not logged").In(FlagScope.Serve)),
        .. Group(
            "Not supported yet",
            NotYet("ssl-keyfile", FlagKind.Text, "Key file for TLS.").In(FlagScope.Serve),
            NotYet("ssl-certfile", FlagKind.Text, "Certificate file for TLS.").In(FlagScope.Serve),
            NotYet("ssl-ca-certs", FlagKind.Text, "CA certificates for TLS.").In(FlagScope.Serve),
            NotYet("ssl-cert-reqs", FlagKind.Integer, "Whether clients need a certificate.", "0").In(FlagScope.Serve),
            NotYet("middleware", FlagKind.List, "ASGI middleware: a Python class.").In(FlagScope.Serve).Hint("Python code cannot be loaded here"),
            NotYet("otlp-traces-endpoint", FlagKind.Text, "OpenTelemetry collector for traces.").In(FlagScope.Serve),
            NotYet("enable-auto-tool-choice", FlagKind.Switch, "Let the model choose tools.", "false").In(FlagScope.Serve),
            NotYet("tool-call-parser", FlagKind.Text, "Form of the model's tool calls.", "", "none").In(FlagScope.Serve),
            NotYet("tool-parser-plugin", FlagKind.Text, "Python file with a tool parser.", "").In(FlagScope.Serve),
            NotYet("enable-log-outputs", FlagKind.Switch, "Log each answer.", "false").In(FlagScope.Serve),
            NotYet("headless", FlagKind.Switch, "Engine without HTTP server.", "false").In(FlagScope.Serve),
            NotYet("grpc", FlagKind.Switch, "gRPC in place of HTTP.", "false").In(FlagScope.Serve),
            NotYet("enable-sleep-mode", FlagKind.Switch, "/sleep and /wake_up.", "false").In(FlagScope.Serve)),
    ];
}

using System.Text.Json;
using Sluice.Server;

namespace Sluice.Cli.Flags;

/// <summary>Turns the flags of <see cref="ServerFlags"/> into <see cref="ServerOptions"/>.</summary>
internal static class ServerOptionsBinder
{
    /// <param name="values">The flags.</param>
    /// <param name="modelName">Name of the model when no other is given.</param>
    /// <param name="environment">What holds where a flag was left out.</param>
    public static ServerOptions Bind(FlagValues values, string modelName, EnvironmentSettings environment)
    {
        var standard = new ServerOptions();
        bool isQuiet = IsQuiet(values, environment);
        return standard with
        {
            Host = values.Text("host") ?? environment.HostAddress,
            Port = values.Count("port") ?? standard.Port,
            Uds = values.Text("uds"),
            ServedModelNames = values.List("served-model-name") ?? [modelName],
            ApiKeys = values.List("api-key") ?? (environment.ApiKey is { } key ? [key] : []),
            RootPath = values.Text("root-path"),
            AllowedOrigins = Words(values, "allowed-origins") ?? standard.AllowedOrigins,
            AllowedMethods = Words(values, "allowed-methods") ?? standard.AllowedMethods,
            AllowedHeaders = Words(values, "allowed-headers") ?? standard.AllowedHeaders,
            AllowCredentials = values.Switch("allow-credentials") ?? standard.AllowCredentials,
            EnableRequestIdHeaders = values.Switch("enable-request-id-headers") ?? standard.EnableRequestIdHeaders,
            ShutdownTimeout = values.Number("shutdown-timeout") is { } seconds ? TimeSpan.FromSeconds(seconds) : standard.ShutdownTimeout,
            MaxRequestBodyBytes = values.Bytes("max-request-size") ?? standard.MaxRequestBodyBytes,
            MaxConnections = values.Count("max-connections") ?? standard.MaxConnections,
            MaxWaitingRequests = values.Count("max-waiting-requests") ?? standard.MaxWaitingRequests,
            ResponseRole = values.Text("response-role") ?? standard.ResponseRole,
            TrustRequestChatTemplate = values.Switch("trust-request-chat-template") ?? standard.TrustRequestChatTemplate,
            ChatTemplateContentFormat = values.Text("chat-template-content-format") switch
            {
                "string" => ChatContentFormat.String,
                "openai" => ChatContentFormat.OpenAi,
                _ => ChatContentFormat.Auto,
            },
            DefaultChatTemplateKwargs = values.Text("default-chat-template-kwargs") is { } json ? JsonElement.Parse(json) : null,
            ExcludeToolsWhenToolChoiceNone = values.Switch("exclude-tools-when-tool-choice-none") ?? standard.ExcludeToolsWhenToolChoiceNone,
            ReasoningParser = values.Text("reasoning-parser") is { Length: > 0 } parser and not "none" ? parser : null,
            ReturnTokensAsTokenIds = values.Switch("return-tokens-as-token-ids") ?? standard.ReturnTokensAsTokenIds,
            EnablePromptTokensDetails = values.Switch("enable-prompt-tokens-details") ?? standard.EnablePromptTokensDetails,
            EnableForceIncludeUsage = values.Switch("enable-force-include-usage") ?? standard.EnableForceIncludeUsage,
            StreamInterval = values.Count("stream-interval") ?? standard.StreamInterval,
            DisableLogStats = (values.Switch("disable-log-stats") ?? false) || isQuiet,
            LogStatsFormat = values.Text("log-stats-format") == "v0" ? StatsLineFormat.V0 : StatsLineFormat.V1,
            LogStatsInterval = environment.LogStatsIntervalSeconds is { } interval ? TimeSpan.FromSeconds(interval) : standard.LogStatsInterval,
            EnableLogRequests = values.Switch("enable-log-requests") ?? standard.EnableLogRequests,
            MaxLogLength = values.Count("max-log-len"),
            DisableAccessLog = (values.Switch("disable-uvicorn-access-log") ?? false) || isQuiet,
            ShowHiddenMetrics = values.Text("show-hidden-metrics-for-version") is not null,
        };
    }

    /// <summary>Nothing below a warning is logged.</summary>
    public static bool IsQuiet(FlagValues values, EnvironmentSettings environment) =>
        (values.Text("uvicorn-log-level") ?? environment.LoggingLevel) is "warning" or "error" or "critical";

    /// <summary>The words of a JSON list.</summary>
    private static string[]? Words(FlagValues values, string name)
    {
        if (values.Text(name) is not { } json)
        {
            return null;
        }

        JsonElement list = JsonElement.Parse(json);
        return list.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.String)
            ? throw new UserErrorException($"--{name} must be a JSON list of strings, as '[\"*\"]'; found {json}")
            : [.. list.EnumerateArray().Select(item => item.GetString()!)];
    }
}

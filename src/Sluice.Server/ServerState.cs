using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Sluice.Requests;
using Sluice.Server.Http;
using Sluice.Server.Metrics;
using Sluice.Server.OpenAi;

namespace Sluice.Server;

/// <summary>What all requests share: the engine, the options, and counts of what runs. Created and disposed by the server.</summary>
internal sealed class ServerState : IAsyncDisposable
{
    private long _requestNumber;
    private int _requestCount;
    private int _generationCount;

    public ServerState(ServerOptions options, LlmEngine engine)
    {
        Options = options;
        Engine = engine;
        ModelNames = options.ServedModelNames.Count > 0 ? options.ServedModelNames : [engine.Options.Model];
        Keys = new ApiKeys(options.ApiKeys);
        Bodies = new BodyBudget(options.MaxBufferedBodyBytes);
        Log = new ServerLog(options.Log ?? Console.Out);
        Chats = new ChatPrompts(options, engine);
        MaxTokenLength = engine.Tokenizer?.LongestTokenByteCount ?? 1;
        SystemFingerprint = $"sluice-{Version}-{Fingerprint(engine)}";
    }

    /// <summary>Version of this program.</summary>
    public static string Version { get; } =
        typeof(ServerState).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    public ServerOptions Options { get; }

    public LlmEngine Engine { get; }

    /// <summary>Names of the model; answers carry the first.</summary>
    public IReadOnlyList<string> ModelNames { get; }

    public ApiKeys Keys { get; }

    public BodyBudget Bodies { get; }

    public ServerLog Log { get; }

    public ChatPrompts Chats { get; }

    public HttpMetrics HttpMetrics { get; } = new();

    public ShutdownState Shutdown { get; } = new();

    /// <summary>Unix time of the start.</summary>
    public long Created { get; } = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    /// <summary>What clients compare to know that they talk to the same model and program.</summary>
    public string SystemFingerprint { get; }

    /// <summary>Most characters of text that one token can stand for.</summary>
    public int MaxTokenLength { get; }

    /// <summary>Requests in flight, probes left out.</summary>
    public int RequestCount => Volatile.Read(ref _requestCount);

    /// <summary>Requests in flight that make the model work.</summary>
    public int GenerationCount => Volatile.Read(ref _generationCount);

    public void EnterRequest() => Interlocked.Increment(ref _requestCount);

    public void LeaveRequest() => Interlocked.Decrement(ref _requestCount);

    public void EnterGeneration() => Interlocked.Increment(ref _generationCount);

    public void LeaveGeneration() => Interlocked.Decrement(ref _generationCount);

    /// <summary>A name for the engine: clients may use theirs twice, and each prompt of a request needs its own.</summary>
    public string UniqueId(string id) => $"{id}-{Interlocked.Increment(ref _requestNumber)}";

    /// <exception cref="ServerBusyException">The queue would become longer than allowed.</exception>
    public void CheckQueue(IReadOnlyList<GenerationRequest> requests)
    {
        int waiting = Engine.Stats.WaitingCount;
        int added = requests.Count * requests[0].Sampling.N;
        if (waiting + added > Options.MaxWaitingRequests && waiting > 0)
        {
            throw new ServerBusyException(
                $"The queue is full: {waiting} requests wait and the limit is {Options.MaxWaitingRequests}; try again later");
        }
    }

    /// <summary>Text of a prompt, for <c>echo</c>; empty without a tokenizer.</summary>
    public string DecodePrompt(int[] ids) => Engine.Tokenizer?.Decode(ids) ?? "";

    /// <summary>Writes the request's parameters to the log, where asked for.</summary>
    public void LogRequest(string id, IReadOnlyList<GenerationRequest> requests)
    {
        if (!Options.EnableLogRequests)
        {
            return;
        }

        foreach (GenerationRequest request in requests)
        {
            string prompt = DecodePrompt([.. request.PromptTokenIds]);
            Log.Info(
                $"Received request {id}: prompt: '{Quote.Plain(prompt, Options.MaxLogLength ?? int.MaxValue)}', params: "
                + $"{RequestLogText.Of(request.Sampling)}, prompt tokens: {request.PromptTokenIds.Count}.");
        }
    }

    public async ValueTask DisposeAsync()
    {
        Shutdown.Dispose();
        await Log.DisposeAsync();
    }

    private static string Fingerprint(LlmEngine engine)
    {
        // The folder's name without the path: replicas on other machines are the same to a client.
        string identity = $"{Path.GetFileName(Path.TrimEndingDirectorySeparator(engine.Options.Model))}|{engine.VocabularySize}|{engine.MaxModelLen}|{engine.Options.DType}";
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(identity)))[..8];
    }
}

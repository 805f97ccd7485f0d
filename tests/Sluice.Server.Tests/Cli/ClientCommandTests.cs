using Sluice.Cli;
using Sluice.Cli.Startup;

namespace Sluice.Server.Tests.Cli;

/// <summary>A server on a free port with the bundled model and a key.</summary>
public sealed class KeyedServer : IAsyncLifetime
{
    private LlmEngine? _engine;
    private SluiceServer? _server;

    public string Url => _server!.Addresses[0] + "/v1";

    public async ValueTask InitializeAsync()
    {
        _engine = await LlmEngine.LoadAsync(new EngineOptions { Model = ModelLocator.FindBundled(AppContext.BaseDirectory) });
        var options = new ServerOptions { Host = "127.0.0.1", Port = 0, ApiKeys = ["secret"], ServedModelNames = ["tales"], DisableLogStats = true, Log = TextWriter.Null };
        _server = await SluiceServer.StartAsync(options, _engine);
    }

    public async ValueTask DisposeAsync()
    {
        await _server!.DisposeAsync();
        await _engine!.DisposeAsync();
    }
}

public sealed class ClientCommandTests(KeyedServer server) : IClassFixture<KeyedServer>
{
    [Fact]
    public async Task Chat_QuickMessage_PrintsTheAnswerAndStats()
    {
        (int code, string output, string error) = await CommandLineRunner.RunAsync(
            ["chat", "--url", server.Url, "--api-key", "secret", "-q", "Tell me a story.", "--system-prompt", "Be brief.", "--max-tokens", "8", "--stats"]);
        Assert.True(code == CommandLine.Success, error);
        Assert.True(output.Trim().Length > 0);
        Assert.Matches(@"^TTFT: \d+ ms, \d+ chunks in [\d.]+ s, [\d.]+ chunks/s\n$", error);
    }

    [Fact]
    public async Task Chat_Conversation_GoesOnAfterAMistake()
    {
        string tooLong = string.Concat(Enumerable.Repeat("word ", 600));
        (int code, string output, string error) = await CommandLineRunner.RunAsync(
            ["chat", "--url", server.Url, "--api-key", "secret", "--max-tokens", "4"], $"Hello.\n\n{tooLong}\nAnd then?\n");
        Assert.Equal(CommandLine.Success, code);
        Assert.StartsWith("Using model: tales\nPlease enter a message for the chat model:\n> ", output, StringComparison.Ordinal);
        Assert.Contains("answered 400: This model's maximum context length is 512 tokens.", error, StringComparison.Ordinal);
        Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task Complete_KeyFromEnvironment_PrintsTheText()
    {
        EnvironmentSettings environment = CommandLineRunner.EmptyEnvironment with { ApiKey = "secret" };
        (int code, string output, string error) = await CommandLineRunner.RunAsync(
            ["complete", "--url", server.Url + "/", "--model-name", "tales", "--quick", "Once upon a", "--max-tokens", "3"], environment: environment);
        Assert.True(code == CommandLine.Success, error);
        Assert.True(output.Length > 1);
    }

    [Theory]
    [InlineData("--api-key wrong -q hi", "answered 401: Unauthorized")]
    [InlineData("--api-key secret --model-name other -q hi", "answered 404: The model `other` does not exist.")]
    public async Task Chat_Refused_SaysWhatTheServerSaid(string flags, string message)
    {
        (int code, _, string error) = await CommandLineRunner.RunAsync(["chat", "--url", server.Url, .. flags.Split(' ')]);
        Assert.Contains(message, error, StringComparison.Ordinal);
        Assert.Equal(CommandLine.UsersMistake, code);
    }

    [Theory]
    [InlineData("chat --url http://127.0.0.1:9/v1 -q hi", "error: no server answers at http://127.0.0.1:9/v1/models: ")]
    [InlineData("chat --url localhost -q hi", "error: --url localhost is not an address such as http://localhost:8000/v1")]
    [InlineData("chat --url http://x --model y -q hi", "error: --url and --model exclude each other: ")]
    public async Task Chat_NothingToTalkTo_SaysWhatToDo(string line, string message)
    {
        (int code, _, string error) = await CommandLineRunner.RunAsync(line.Split(' '));
        Assert.StartsWith(message, error, StringComparison.Ordinal);
        Assert.Equal(CommandLine.UsersMistake, code);
    }

    [Fact]
    public async Task ChatAndComplete_ModelInProcess_Answer()
    {
        string model = ModelLocator.FindBundled(AppContext.BaseDirectory);
        (int chatCode, string chat, string chatError) = await CommandLineRunner.RunAsync(["chat", "--model", model, "-q", "Tell me a story.", "--max-tokens", "8"]);
        Assert.True(chatCode == CommandLine.Success, chatError);
        Assert.True(chat.Trim().Length > 0);
        (int code, string output, string error) = await CommandLineRunner.RunAsync(
            ["complete", "--model", model, "-q", "Once upon a", "--max-tokens", "1", "--override-generation-config.temperature", "0"]);
        Assert.True(code == CommandLine.Success, error);
        Assert.Equal(" time\n", output);
    }

    [Fact]
    public async Task Serve_NoModel_ServesTheBundledOneUntilStopped()
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        using var output = new WatchedWriter("Application startup complete.");
        using var error = new StringWriter();
        var console = new CommandConsole(TextReader.Null, output, error) { Environment = CommandLineRunner.EmptyEnvironment };
        Task<int> run = CommandLine.RunAsync(["serve", "--host", "127.0.0.1", "--port", "0"], console, stop.Token);
        await Task.WhenAny(output.Seen, run);
        Assert.False(run.IsCompleted, error.ToString());
        await stop.CancelAsync();
        Assert.Equal(CommandLine.Success, await run);
        string log = output.ToString();
        Assert.Contains("serving the bundled one as 'storyteller'", log, StringComparison.Ordinal);
        Assert.Contains("Using max model len 512", log, StringComparison.Ordinal);
        Assert.Contains("KV cache size: 65,536 tokens, Maximum concurrency for 512 tokens per request: 128.00x", log, StringComparison.Ordinal);
        Assert.Matches(@"Starting Sluice server on http://127\.0\.0\.1:\d+", log);
    }

    /// <summary>Tells when a text has been written.</summary>
    private sealed class WatchedWriter(string text) : StringWriter
    {
        private readonly TaskCompletionSource _seen = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Seen => _seen.Task;

        public override void WriteLine(string? value)
        {
            lock (_seen)
            {
                base.WriteLine(value);
            }

            if (value?.Contains(text, StringComparison.Ordinal) == true)
            {
                _seen.TrySetResult();
            }
        }
    }
}

using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Sluice.Server.Tests.Support;

/// <summary>A server on a free port of the loopback, with a client.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    public const string ModelName = "storyteller";

    private readonly StringWriter _log;

    private TestServer(SluiceServer server, StringWriter log)
    {
        Server = server;
        _log = log;
        Address = new Uri(server.Addresses[0]);
        Client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 2048 }) { BaseAddress = Address, Timeout = TimeSpan.FromSeconds(100) };
    }

    public SluiceServer Server { get; }

    public Uri Address { get; }

    public HttpClient Client { get; }

    public static async Task<TestServer> StartAsync(LlmEngine engine, Func<ServerOptions, ServerOptions>? change = null)
    {
        StringWriter log = new();
        ServerOptions options = new()
        {
            Host = "127.0.0.1",
            Port = 0,
            ServedModelNames = [ModelName],
            DisableLogStats = true,
            Log = TextWriter.Synchronized(log),
        };
        return new TestServer(await SluiceServer.StartAsync(change?.Invoke(options) ?? options, engine), log);
    }

    /// <summary>What the server has logged; complete after the server is disposed.</summary>
    public string LogText => _log.ToString();

    public Task<HttpResponseMessage> SendAsync(string path, string json) => SendUntilAsync(path, json, TestContext.Current.CancellationToken);

    public Task<HttpResponseMessage> SendUntilAsync(string path, string json, CancellationToken cancellation)
    {
        HttpRequestMessage request = new(HttpMethod.Post, path) { Content = Json(json) };
        return Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
    }

    /// <summary>Posts and reads the whole answer.</summary>
    public async Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(string path, string json)
    {
        using HttpResponseMessage response = await SendAsync(path, json);
        return (response.StatusCode, Parse(await response.Content.ReadAsStringAsync()));
    }

    public async Task<JsonElement> PostOkAsync(string path, string json)
    {
        (HttpStatusCode status, JsonElement body) = await PostAsync(path, json);
        Assert.True(status == HttpStatusCode.OK, $"{(int)status}: {body}");
        return body;
    }

    public async Task<JsonElement> GetOkAsync(string path) => Parse(await Client.GetStringAsync(path));

    /// <summary>Posts and reads the events of a stream, without <c>data: </c>.</summary>
    public async Task<List<string>> StreamAsync(string path, string json)
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        using HttpResponseMessage response = await SendUntilAsync(path, json, cancellation);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        List<string> events = [];
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync(cancellation), Encoding.UTF8);
        while (await reader.ReadLineAsync(cancellation) is { } line)
        {
            if (line.Length > 0)
            {
                Assert.StartsWith("data: ", line, StringComparison.Ordinal);
                events.Add(line["data: ".Length..]);
            }
        }

        return events;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Server.DisposeAsync();
    }

    public static JsonElement Parse(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }

    public static StringContent Json(string json) => new(json, Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
}

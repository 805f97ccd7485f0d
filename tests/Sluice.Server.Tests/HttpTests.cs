using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Sluice.Server.Tests.Support;

namespace Sluice.Server.Tests;

/// <summary>What goes wrong before a body is looked at.</summary>
public sealed class HttpTests(Storyteller model)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    [Theory]
    [InlineData("GET", "/v1/completions", 405, "POST")]
    [InlineData("DELETE", "/v1/chat/completions", 405, "POST")]
    [InlineData("POST", "/v1/models", 405, "GET")]
    [InlineData("PROPFIND", "/health", 405, "GET")]
    [InlineData("GET", "/nothing", 404, null)]
    [InlineData("POST", "/v1/embeddings", 404, null)]
    [InlineData("GET", "/v1/completions/..%2f..%2fetc/passwd", 404, null)]
    public async Task Request_WrongMethodOrPath_GetsTheErrorBody(string method, string path, int status, string? allow)
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        using HttpRequestMessage request = new(new HttpMethod(method), path);
        using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
        await AssertErrorAsync(response, status, status == 404 ? "NotFoundError" : "MethodNotAllowedError");
        if (allow is not null)
        {
            Assert.Equal([allow], response.Content.Headers.Allow);
        }
    }

    [Theory]
    [InlineData(null, null, 400, "Unsupported Media Type: Only 'application/json' is allowed")]
    [InlineData("text/plain", null, 400, "Unsupported Media Type: Only 'application/json' is allowed")]
    [InlineData("application/json; charset=utf-16", null, 415, "charset must be utf-8, got \"utf-16\"")]
    [InlineData("application/json", "gzip", 415, "content encoding \"gzip\"")]
    public async Task Request_OtherContent_IsRefused(string? type, string? encoding, int status, string message)
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        ByteArrayContent content = new("""{"prompt":"a"}"""u8.ToArray());
        content.Headers.ContentType = type is null ? null : MediaTypeHeaderValue.Parse(type);
        if (encoding is not null)
        {
            content.Headers.ContentEncoding.Add(encoding);
        }

        using HttpResponseMessage response =
            await server.Client.PostAsync("/v1/completions", content, TestContext.Current.CancellationToken);
        string text = await AssertErrorAsync(response, status, status == 400 ? "BadRequestError" : "UnsupportedMediaTypeError");
        Assert.Contains(message, text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("application/json; charset=\"UTF-8\"")]
    [InlineData("Application/JSON")]
    public async Task Request_JsonContent_IsTaken(string type)
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        ByteArrayContent content = new([.. "\uFEFF"u8, .. """{"prompt":"a","max_tokens":1}"""u8]);
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        using HttpResponseMessage response =
            await server.Client.PostAsync("/v1/completions", content, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Request_BodyOverTheLimit_Gets413(bool isChunked)
    {
        await using TestServer server = await TestServer.StartAsync(
            model.Engine, static options => options with { MaxRequestBodyBytes = 100_000 });
        using HttpRequestMessage request = new(HttpMethod.Post, "/v1/completions")
        {
            Content = TestServer.Json($$"""{"prompt":"{{new string('a', 200_000)}}"}"""),
        };
        request.Headers.TransferEncodingChunked = isChunked;
        using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
        string text = await AssertErrorAsync(response, 413, "ContentTooLargeError");
        Assert.Contains("100000 bytes", text, StringComparison.Ordinal);
        Assert.Equal(0, server.Server.State.Bodies.TakenBytes);
    }

    [Fact]
    public async Task Request_BodiesOverTheMemory_Get503()
    {
        await using TestServer server = await TestServer.StartAsync(
            model.Engine, static options => options with { MaxBufferedBodyBytes = 50_000 });
        using HttpResponseMessage response =
            await server.SendAsync("/v1/completions", $$"""{"prompt":"{{new string('a', 200_000)}}"}""");
        await AssertErrorAsync(response, 503, "ServiceUnavailableError");
        Assert.NotNull(response.Headers.RetryAfter);
        Assert.Equal(0, server.Server.State.Bodies.TakenBytes);
    }

    [Theory]
    [InlineData("POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400)]
    [InlineData("POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde", 400)]
    [InlineData("GET /v1/models HTTP/1.1\r\nHost: x/v1?y\r\n\r\n", 400)]
    [InlineData("GET /v1/models HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400)]
    [InlineData("GET /v1/models HTTP/1.1\r\n\r\n", 400)]
    [InlineData("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400)]
    [InlineData("POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400)]
    public async Task Request_Malformed_IsRefusedAndClosed(string request, int status)
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        string answer = await RawHttp.SendAsync(server.Address, request, Patience);
        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        Assert.Contains("Connection: close", answer, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Request_HugeHeaders_AreRefused()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        string large = await RawHttp.SendAsync(
            server.Address, $"GET /health HTTP/1.1\r\nHost: a\r\nX: {new string('x', 100_000)}\r\n\r\n", Patience);
        Assert.StartsWith("HTTP/1.1 431 ", large, StringComparison.Ordinal);
        StringBuilder many = new("GET /health HTTP/1.1\r\nHost: a\r\n");
        for (int i = 0; i < 200; i++)
        {
            many.Append($"X{i}: 1\r\n");
        }

        Assert.StartsWith("HTTP/1.1 431 ", await RawHttp.SendAsync(server.Address, many.Append("\r\n").ToString(), Patience), StringComparison.Ordinal);
        Assert.StartsWith(
            "HTTP/1.1 414 ",
            await RawHttp.SendAsync(server.Address, $"GET /{new string('u', 10_000)} HTTP/1.1\r\nHost: a\r\n\r\n", Patience),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task RequestId_Hostile_IsReplaced()
    {
        await using TestServer server = await TestServer.StartAsync(
            model.Engine, static options => options with { EnableRequestIdHeaders = true });
        string answer = await RawHttp.SendAsync(
            server.Address, "GET /version HTTP/1.1\r\nHost: a\r\nX-Request-Id: a b<script>\r\nConnection: close\r\n\r\n", Patience);
        Assert.Contains("X-Request-Id: ", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("script", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cors_Preflight_IsAnsweredWithoutKey()
    {
        await using TestServer server = await TestServer.StartAsync(
            model.Engine, static options => options with { ApiKeys = ["k"], AllowedOrigins = ["https://a.example"], AllowedMethods = ["POST"] });
        using HttpRequestMessage request = new(HttpMethod.Options, "/v1/chat/completions");
        request.Headers.Add("Origin", "https://a.example");
        request.Headers.Add("Access-Control-Request-Method", "POST");
        request.Headers.Add("Access-Control-Request-Headers", "authorization");
        using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.Equal("https://a.example", Assert.Single(response.Headers.GetValues("Access-Control-Allow-Origin")));
        using HttpRequestMessage foreign = new(HttpMethod.Options, "/v1/chat/completions");
        foreign.Headers.Add("Origin", "https://b.example");
        foreign.Headers.Add("Access-Control-Request-Method", "POST");
        using HttpResponseMessage refused = await server.Client.SendAsync(foreign, TestContext.Current.CancellationToken);
        Assert.False(refused.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task Cors_AnyOrigin_IsOnErrorsToo()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        using HttpRequestMessage request = new(HttpMethod.Post, "/v1/completions") { Content = TestServer.Json("{") };
        request.Headers.Add("Origin", "https://a.example");
        using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("*", Assert.Single(response.Headers.GetValues("Access-Control-Allow-Origin")));
    }

    [Fact]
    public async Task RootPath_RequestsWithAndWithoutIt_Work()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine, static options => options with { RootPath = "/llm/" });
        Assert.Equal("list", (await server.GetOkAsync("/llm/v1/models")).TextAt("object"));
        Assert.Equal("list", (await server.GetOkAsync("/v1/models")).TextAt("object"));
    }

    [Fact]
    public async Task Uds_Requests_Work()
    {
        string path = Path.Combine(Path.GetTempPath(), $"sluice-{Guid.NewGuid():N}.sock");
        await using TestServer first = await TestServer.StartAsync(model.Engine, options => options with { Uds = path, Host = null });
        using HttpClient client = new(new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) =>
            {
                System.Net.Sockets.Socket socket = new(
                    System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
                await socket.ConnectAsync(new System.Net.Sockets.UnixDomainSocketEndPoint(path), cancellation);
                return new System.Net.Sockets.NetworkStream(socket, ownsSocket: true);
            },
        });
        Assert.Equal("", await client.GetStringAsync(new Uri("http://sluice/health"), TestContext.Current.CancellationToken));
        UserErrorException taken = await Assert.ThrowsAsync<UserErrorException>(() =>
            TestServer.StartAsync(model.Engine, options => options with { Uds = path, Host = null }));
        Assert.Contains("another server listens there", taken.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_PortTaken_IsTheUsersMistake()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        UserErrorException taken = await Assert.ThrowsAsync<UserErrorException>(() =>
            TestServer.StartAsync(model.Engine, options => options with { Port = server.Address.Port }));
        Assert.Contains($"port {server.Address.Port}", taken.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', taken.Message);
    }

    [Fact]
    public async Task Log_Access_IsUvicornsLine()
    {
        TestServer server = await TestServer.StartAsync(model.Engine, static options => options with { EnableLogRequests = true, MaxLogLength = 5 });
        await using (server)
        {
            await server.PostOkAsync("/v1/completions?x=1", """{"prompt":"Once upon a time","max_tokens":1}""");
            using HttpResponseMessage missing = await server.Client.GetAsync("/nothing", TestContext.Current.CancellationToken);
        }

        Assert.Contains("INFO:     Application startup complete.", server.LogText, StringComparison.Ordinal);
        Assert.Matches(@"INFO:     127\.0\.0\.1:\d+ - ""POST /v1/completions\?x=1 HTTP/1\.1"" 200 OK", server.LogText);
        Assert.Matches(@"INFO:     127\.0\.0\.1:\d+ - ""GET /nothing HTTP/1\.1"" 404 Not Found", server.LogText);
        Assert.Contains("Received request cmpl-", server.LogText, StringComparison.Ordinal);
    }

    private static async Task<string> AssertErrorAsync(HttpResponseMessage response, int status, string type)
    {
        string text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Equal(status, (int)response.StatusCode);
        JsonElement body = TestServer.Parse(text);
        Assert.Equal(["error"], body.NamesOf());
        Assert.Equal(["message", "type", "param", "code"], body.At("error").NamesOf());
        Assert.Equal(status, body.IntAt("error.code"));
        Assert.Equal(type, body.TextAt("error.type"));
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        return body.TextAt("error.message")!;
    }
}

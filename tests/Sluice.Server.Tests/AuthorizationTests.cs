using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Routing;
using Sluice.Server.Http;
using Sluice.Server.Tests.Support;

namespace Sluice.Server.Tests;

public sealed class AuthorizationTests(Storyteller model)
{
    private static readonly string[] Keys = ["first-key", "second-key"];

    /// <summary>The only routes that strangers may use.</summary>
    private static readonly string[] OpenRoutes = ["/health", "/health/live", "/health/ready", "/ping", "/version", "/load", "/metrics"];

    [Fact]
    public async Task EveryRoute_WithoutKey_IsClosedUnlessListed()
    {
        await using TestServer server = await StartAsync();
        int closedCount = 0;
        foreach (RouteEndpoint route in server.Server.Routes.Endpoints.OfType<RouteEndpoint>())
        {
            string path = route.RoutePattern.RawText!.Replace("{**model}", "storyteller", StringComparison.Ordinal);
            foreach (string method in route.Metadata.GetMetadata<IHttpMethodMetadata>()!.HttpMethods)
            {
                using HttpRequestMessage request = new(new HttpMethod(method), path);
                using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
                bool isOpen = OpenRoutes.Contains(path);
                Assert.Equal(isOpen ? HttpStatusCode.OK : HttpStatusCode.Unauthorized, response.StatusCode);
                closedCount += isOpen ? 0 : 1;
            }
        }

        Assert.True(closedCount >= 6);
    }

    [Theory]
    [InlineData("/nothing")]
    [InlineData("/V1/MODELS")]
    [InlineData("/v1/models/")]
    [InlineData("//v1/models")]
    [InlineData("/health/../v1/models")]
    [InlineData("/v1/models?path=/health")]
    [InlineData("/health;/v1/models")]
    public async Task AnyPath_WithoutKey_IsNeverServed(string path)
    {
        await using TestServer server = await StartAsync();
        string answer = await RawHttp.SendAsync(
            server.Address, $"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", TimeSpan.FromSeconds(3));
        Assert.StartsWith("HTTP/1.1 401 ", answer, StringComparison.Ordinal);
        Assert.Contains("WWW-Authenticate: Bearer", answer, StringComparison.Ordinal);
        Assert.Contains("\"type\":\"AuthenticationError\",\"param\":null,\"code\":401", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Bearer first-key", true)]
    [InlineData("bearer second-key", true)]
    [InlineData("Bearer  second-key ", true)]
    [InlineData("Bearer first-kez", false)]
    [InlineData("Bearer first-key2", false)]
    [InlineData("Bearer ", false)]
    [InlineData("Bearer", false)]
    [InlineData("Basic first-key", false)]
    [InlineData("first-key", false)]
    public async Task Key_Given_DecidesAlone(string header, bool isAccepted)
    {
        await using TestServer server = await StartAsync();
        using HttpRequestMessage request = new(HttpMethod.Get, "/v1/models");
        request.Headers.TryAddWithoutValidation("Authorization", header);
        using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(isAccepted ? HttpStatusCode.OK : HttpStatusCode.Unauthorized, response.StatusCode);
    }

    [Fact]
    public void Accept_TwoHeaders_IsRefused()
    {
        ApiKeys keys = new(["k"]);
        Assert.True(keys.Accept("Bearer k"));
        Assert.False(keys.Accept(new Microsoft.Extensions.Primitives.StringValues(["Bearer k", "Bearer k"])));
        Assert.False(keys.Accept(default));
    }

    [Fact]
    public async Task Generation_WithKey_Works()
    {
        await using TestServer server = await StartAsync();
        server.Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "second-key");
        await server.PostOkAsync("/v1/completions", """{"prompt":"a","max_tokens":1}""");
    }

    private Task<TestServer> StartAsync() => TestServer.StartAsync(model.Engine, static options => options with { ApiKeys = Keys });
}

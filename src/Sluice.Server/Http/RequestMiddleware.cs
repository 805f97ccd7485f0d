using System.Diagnostics;
using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.WebUtilities;

namespace Sluice.Server.Http;

/// <summary>The outermost layer: request ids, the access line, HTTP metrics, and what Kestrel lets through but should not.</summary>
internal sealed class RequestMiddleware(RequestDelegate next, ServerState state)
{
    private const int MaxLoggedTargetLength = 2048;

    public async Task InvokeAsync(HttpContext context)
    {
        long started = Stopwatch.GetTimestamp();
        if (state.Options.EnableRequestIdHeaders)
        {
            context.Response.Headers["X-Request-Id"] = RequestIds.FromHeader(context.Request) ?? RequestIds.New();
        }

        if (!state.Options.DisableAccessLog)
        {
            // As uvicorn: one line when the answer starts, so that long streams are seen too.
            context.Response.OnStarting(
                static pair =>
                {
                    (ServerState server, HttpContext request) = ((ServerState, HttpContext))pair;
                    server.Log.Line(AccessLine(request));
                    return Task.CompletedTask;
                },
                (state, context));
        }

        try
        {
            if (HasTwoLengths(context.Request))
            {
                context.Response.Headers.Connection = "close";
                await Answer.ErrorAsync(
                    context, StatusCodes.Status400BadRequest, "A request must not have both Content-Length and Transfer-Encoding");
                return;
            }

            await next(context);
        }
        finally
        {
            Observe(context, Stopwatch.GetElapsedTime(started));
        }
    }

    // Two lengths are how requests are smuggled past proxies. Kestrel obeys Transfer-Encoding and moves the other to X-Content-Length.
    private static bool HasTwoLengths(HttpRequest request) =>
        request.Headers.TransferEncoding.Count > 0
        && (request.Headers.ContentLength is not null || request.Headers.ContainsKey("X-Content-Length"));

    private static string AccessLine(HttpContext context)
    {
        string target = context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? context.Request.Path;
        target = target.Length > MaxLoggedTargetLength ? target[..MaxLoggedTargetLength] : target;
        IPAddress? address = context.Connection.RemoteIpAddress;
        string client = address is null
            ? ""
            : new IPEndPoint(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, context.Connection.RemotePort).ToString();
        int status = context.Response.StatusCode;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"INFO:     {client} - \"{context.Request.Method} {target} {context.Request.Protocol}\" {status} {ReasonPhrases.GetReasonPhrase(status)}");
    }

    private void Observe(HttpContext context, TimeSpan elapsed)
    {
        Endpoint? endpoint = context.GetEndpoint();
        if (endpoint?.Metadata.GetMetadata<TraitsMetadata>() is { } metadata && metadata.Traits.HasFlag(EndpointTraits.Probe))
        {
            return;
        }

        state.HttpMetrics.Observe(
            (endpoint as RouteEndpoint)?.RoutePattern.RawText,
            context.Request.Method,
            context.Response.StatusCode,
            elapsed.TotalSeconds,
            context.Request.ContentLength ?? 0,
            context.Response.ContentLength ?? 0);
    }
}

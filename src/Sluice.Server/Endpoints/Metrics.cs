using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Sluice.Server.Http;
using Sluice.Server.Metrics;

namespace Sluice.Server.Endpoints;

/// <summary><c>GET /metrics</c>: Prometheus' text.</summary>
internal static class Metrics
{
    public static void Map(IEndpointRouteBuilder routes, ServerState state) =>
        routes.MapMethods("/metrics", [HttpMethods.Get], context => Handle(context, state)).With(EndpointTraits.Open | EndpointTraits.Probe);

    private static async Task Handle(HttpContext context, ServerState state)
    {
        PrometheusText text = new();
        EngineMetricsText.Write(text, state.Engine.Metrics, state.ModelNames[0], state.Options.ShowHiddenMetrics);
        state.HttpMetrics.WriteTo(text);
        ProcessMetricsText.Write(text);
        byte[] body = text.ToUtf8();
        context.Response.ContentType = PrometheusText.ContentType;
        context.Response.ContentLength = body.Length;
        await context.Response.BodyWriter.WriteAsync(body, context.RequestAborted);
    }
}

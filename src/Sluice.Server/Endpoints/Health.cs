using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Sluice.Server.Http;

namespace Sluice.Server.Endpoints;

/// <summary>
/// <c>/health</c> and <c>/health/ready</c>: whether to send requests here. <c>/health/live</c>: whether the process is worth keeping; a
/// server that drains is. All read a few fields and never queue behind work.
/// </summary>
internal static class Health
{
    public static void Map(IEndpointRouteBuilder routes, ServerState state)
    {
        const EndpointTraits traits = EndpointTraits.Open | EndpointTraits.Probe;
        routes.MapMethods("/health", [HttpMethods.Get], context => Ready(context, state)).With(traits);
        routes.MapMethods("/health/ready", [HttpMethods.Get], context => Ready(context, state)).With(traits);
        routes.MapMethods("/health/live", [HttpMethods.Get], context => Live(context, state)).With(traits);
    }

    /// <summary>200 without a body, or 503 with the reason.</summary>
    public static Task Ready(HttpContext context, ServerState state) =>
        state.Shutdown.IsDraining
            ? Answer.ErrorAsync(context, StatusCodes.Status503ServiceUnavailable, ShutdownState.Message)
            : Live(context, state);

    private static Task Live(HttpContext context, ServerState state)
    {
        if (state.Engine.IsHealthy)
        {
            context.Response.ContentLength = 0;
            return Task.CompletedTask;
        }

        return Answer.ErrorAsync(
            context, StatusCodes.Status503ServiceUnavailable, "The engine has stopped or makes no progress on the requests it has");
    }
}

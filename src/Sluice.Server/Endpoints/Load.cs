using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Sluice.Server.Http;
using Sluice.Server.OpenAi;

namespace Sluice.Server.Endpoints;

/// <summary><c>GET /load</c>: generating requests in flight.</summary>
internal static class Load
{
    public static void Map(IEndpointRouteBuilder routes, ServerState state) =>
        routes.MapMethods("/load", [HttpMethods.Get], context => Handle(context, state)).With(EndpointTraits.Open | EndpointTraits.Probe);

    private static Task Handle(HttpContext context, ServerState state) =>
        Answer.JsonAsync(context, new LoadAnswer(state.GenerationCount), WireJson.Readable.LoadAnswer);
}

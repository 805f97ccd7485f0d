using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Sluice.Server.Http;

namespace Sluice.Server.Endpoints;

/// <summary><c>GET</c> and <c>POST /ping</c>: what SageMaker calls <c>/health</c>.</summary>
internal static class Ping
{
    public static void Map(IEndpointRouteBuilder routes, ServerState state) =>
        routes.MapMethods("/ping", [HttpMethods.Get, HttpMethods.Post], context => Health.Ready(context, state))
            .With(EndpointTraits.Open | EndpointTraits.Probe);
}

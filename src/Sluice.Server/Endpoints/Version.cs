using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Sluice.Server.Http;
using Sluice.Server.OpenAi;

namespace Sluice.Server.Endpoints;

/// <summary><c>GET /version</c>.</summary>
internal static class Version
{
    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapMethods("/version", [HttpMethods.Get], Handle).With(EndpointTraits.Open | EndpointTraits.Probe);

    private static Task Handle(HttpContext context) =>
        Answer.JsonAsync(context, new VersionAnswer(ServerState.Version), WireJson.Readable.VersionAnswer);
}

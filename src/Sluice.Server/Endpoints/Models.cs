using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Sluice.Requests;
using Sluice.Server.Http;
using Sluice.Server.OpenAi;

namespace Sluice.Server.Endpoints;

/// <summary><c>GET /v1/models</c>, and one model by its name.</summary>
internal static class Models
{
    public static void Map(IEndpointRouteBuilder routes, ServerState state)
    {
        ModelCard[] cards =
        [
            .. state.ModelNames.Select(name => new ModelCard(name, state.Created, state.Engine.Options.Model, state.Engine.MaxModelLen)),
        ];
        ModelList list = new(cards);
        routes.MapMethods("/v1/models", [HttpMethods.Get], context => Answer.JsonAsync(context, list, WireJson.Readable.ModelList))
            .With(EndpointTraits.None);

        // Names may have slashes.
        routes.MapMethods("/v1/models/{**model}", [HttpMethods.Get], context => HandleOne(context, cards)).With(EndpointTraits.None);
    }

    private static Task HandleOne(HttpContext context, ModelCard[] cards)
    {
        // Clients send a slash in a name as %2F, the one escape that Kestrel leaves alone.
        string name = (context.Request.RouteValues["model"] as string ?? "").Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
        ModelCard card = Array.Find(cards, card => card.Id == name)
            ?? throw new RequestValidationException($"The model `{Quote.Plain(name, Quote.MaxLength)}` does not exist.", "model", 404);
        return Answer.JsonAsync(context, card, WireJson.Readable.ModelCard);
    }
}

using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Sluice.Requests;
using Sluice.Server.Http;
using Sluice.Server.OpenAi;

namespace Sluice.Server.Endpoints;

/// <summary><c>POST /detokenize</c>: ids to text.</summary>
internal static class Detokenize
{
    public static void Map(IEndpointRouteBuilder routes, ServerState state) =>
        routes.MapPost("/detokenize", context => Handle(context, state)).With(EndpointTraits.None);

    private static async Task Handle(HttpContext context, ServerState state)
    {
        IReadOnlyList<int> tokens;
        using (RequestBody body = await RequestBody.ReadAsync(context, state.Bodies, state.Options.MaxRequestBodyBytes))
        {
            Fields fields = new(body.Root);
            RequestFields.CheckModel(fields, state);
            tokens = fields.TokenIds(Limits.Tokens, state.Engine.VocabularySize) ?? throw fields.Wrong("tokens", "is required");
        }

        if (state.Engine.Tokenizer is null)
        {
            throw new RequestValidationException("This model is served without a tokenizer: there is no text for its tokens", "tokens");
        }

        await Answer.JsonAsync(context, new DetokenizeAnswer(state.DecodePrompt([.. tokens])), WireJson.Readable.DetokenizeAnswer);
    }
}

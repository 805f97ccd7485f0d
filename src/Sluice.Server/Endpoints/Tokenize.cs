using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Sluice.Requests;
using Sluice.Server.Http;
using Sluice.Server.OpenAi;
using Sluice.Text;

namespace Sluice.Server.Endpoints;

/// <summary><c>POST /tokenize</c>: a text, or the messages of a chat, to ids.</summary>
internal static class Tokenize
{
    public static void Map(IEndpointRouteBuilder routes, ServerState state) =>
        routes.MapPost("/tokenize", context => Handle(context, state)).With(EndpointTraits.None);

    private static async Task Handle(HttpContext context, ServerState state)
    {
        TokenizeAnswer answer;
        using (RequestBody body = await RequestBody.ReadAsync(context, state.Bodies, state.Options.MaxRequestBodyBytes))
        {
            answer = Read(new Fields(body.Root), state);
        }

        await Answer.JsonAsync(context, answer, WireJson.Readable.TokenizeAnswer);
    }

    private static TokenizeAnswer Read(Fields fields, ServerState state)
    {
        RequestFields.CheckModel(fields, state);
        Tokenizer tokenizer = state.Engine.Tokenizer
            ?? throw new RequestValidationException("This model is served without a tokenizer", "prompt");
        int[] ids;
        if (fields.TryGet("prompt", out JsonElement prompt))
        {
            ids = tokenizer.Encode(fields.Text(prompt, "prompt"), fields.Boolean(Limits.AddSpecialTokens, true));
        }
        else if (fields.Has(Limits.Messages))
        {
            RenderedPrompt chat = state.Chats.Render(fields, hasTools: fields.Has(Limits.Tools)).Prompt;
            ids = tokenizer.Encode(chat.Text, fields.Boolean(Limits.AddSpecialTokens, false), chat.ContentSpans);
        }
        else
        {
            throw fields.Wrong("prompt", "or messages is required");
        }

        string[]? texts = fields.Boolean(Limits.ReturnTokenStrings, false) ? [.. ids.Select(id => tokenizer.TokenText(id) ?? "")] : null;
        return new TokenizeAnswer(ids.Length, state.Engine.MaxModelLen, ids, texts);
    }
}

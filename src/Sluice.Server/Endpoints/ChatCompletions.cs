using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Sluice.Requests;
using Sluice.Server.Http;
using Sluice.Server.OpenAi;
using Sluice.Server.Streaming;

namespace Sluice.Server.Endpoints;

/// <summary><c>POST /v1/chat/completions</c>.</summary>
internal static class ChatCompletions
{
    public static void Map(IEndpointRouteBuilder routes, ServerState state) =>
        routes.MapPost("/v1/chat/completions", context => Handle(context, state)).With(EndpointTraits.Generates);

    private static async Task Handle(HttpContext context, ServerState state)
    {
        ChatRequest request;
        using (RequestBody body = await RequestBody.ReadAsync(context, state.Bodies, state.Options.MaxRequestBodyBytes))
        {
            request = ChatRequest.Read(new Fields(body.Root), state, context.Request);
        }

        string id = $"chatcmpl-{request.Request.Id}";
        long created = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        GenerationRequest[] prompts =
        [
            new GenerationRequest
            {
                Id = state.UniqueId(id),
                PromptTokenIds = request.PromptTokenIds,
                Sampling = request.Sampling,
                Priority = request.Request.Priority,
                CacheSalt = request.Request.CacheSalt,
            },
        ];
        state.LogRequest(id, prompts);
        using CancellationTokenSource aborting =
            CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, state.Shutdown.AbortRequests);
        await using Generation generation = await Generation.StartAsync(state, prompts, request.Output);
        if (request.Output.IsStream)
        {
            using SseWriter sse = SseWriter.Start(context);
            ChatStream events = new(state, request, id, created, sse);
            await StreamRunner.RunAsync(state, generation, request.Output, sse, events, aborting);
            return;
        }

        ChoiceResult[] choices = await ChoiceResult.CollectAsync(
            generation, promptCount: 1, request.Sampling.N, () => new ReasoningSplit(state.Options, request), aborting.Token);
        await Answer.JsonAsync(context, new ChatAnswer(state, request, id, created).Write(choices));
    }
}

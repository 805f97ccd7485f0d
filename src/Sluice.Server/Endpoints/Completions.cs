using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Sluice.Requests;
using Sluice.Server.Http;
using Sluice.Server.OpenAi;
using Sluice.Server.Streaming;

namespace Sluice.Server.Endpoints;

/// <summary><c>POST /v1/completions</c>.</summary>
internal static class Completions
{
    public static void Map(IEndpointRouteBuilder routes, ServerState state) =>
        routes.MapPost("/v1/completions", context => Handle(context, state)).With(EndpointTraits.Generates);

    private static async Task Handle(HttpContext context, ServerState state)
    {
        CompletionRequest request;
        using (RequestBody body = await RequestBody.ReadAsync(context, state.Bodies, state.Options.MaxRequestBodyBytes))
        {
            request = CompletionRequest.Read(new Fields(body.Root), state, context.Request);
        }

        string id = $"cmpl-{request.Request.Id}";
        long created = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        GenerationRequest[] prompts = new GenerationRequest[request.Prompts.Count];
        for (int index = 0; index < prompts.Length; index++)
        {
            prompts[index] = new GenerationRequest
            {
                Id = state.UniqueId(id),
                PromptTokenIds = request.Prompts[index],
                Sampling = request.Sampling,
                Priority = request.Request.Priority,
                CacheSalt = request.Request.CacheSalt,
            };
        }

        state.LogRequest(id, prompts);
        using CancellationTokenSource aborting =
            CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, state.Shutdown.AbortRequests);
        await using Generation generation = await Generation.StartAsync(state, prompts, request.Output);
        if (request.Output.IsStream)
        {
            using SseWriter sse = SseWriter.Start(context);
            CompletionStream events = new(state, request, id, created, sse);
            await StreamRunner.RunAsync(state, generation, request.Output, sse, events, aborting);
            return;
        }

        ChoiceResult[] choices =
            await ChoiceResult.CollectAsync(generation, prompts.Length, request.Sampling.N, makeSplit: null, aborting.Token);
        await Answer.JsonAsync(context, new CompletionAnswer(state, request, id, created).Write(choices));
    }
}

using Microsoft.AspNetCore.Http;
using Sluice.Requests;

namespace Sluice.Server.Http;

/// <summary>
/// Stands between routing and the endpoints: asks for the key, refuses work while the server drains, and counts what runs. It goes by the
/// endpoint that routing has chosen, so that no spelling of a path leads around it.
/// </summary>
internal sealed class GateMiddleware(RequestDelegate next, ServerState state)
{
    public async Task InvokeAsync(HttpContext context)
    {
        EndpointTraits traits = context.GetEndpoint()?.Metadata.GetMetadata<TraitsMetadata>()?.Traits ?? EndpointTraits.None;
        if (state.Keys.AreRequired && !traits.HasFlag(EndpointTraits.Open) && !state.Keys.Accept(context.Request.Headers.Authorization))
        {
            context.Response.Headers.WWWAuthenticate = "Bearer";
            throw new RequestValidationException(
                "Unauthorized: send one of the server's API keys as 'Authorization: Bearer KEY'",
                statusCode: StatusCodes.Status401Unauthorized);
        }

        if (traits.HasFlag(EndpointTraits.Probe))
        {
            await next(context);
            return;
        }

        // Counted before the look at the flag: a drain that begins in between waits for this request.
        state.EnterRequest();
        try
        {
            if (state.Shutdown.IsDraining)
            {
                context.Response.Headers.Connection = "close";
                await Answer.ErrorAsync(context, StatusCodes.Status503ServiceUnavailable, ShutdownState.Message);
                return;
            }

            if (!traits.HasFlag(EndpointTraits.Generates))
            {
                await next(context);
                return;
            }

            state.EnterGeneration();
            try
            {
                await next(context);
            }
            finally
            {
                state.LeaveGeneration();
            }
        }
        finally
        {
            state.LeaveRequest();
        }
    }
}

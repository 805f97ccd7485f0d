using Microsoft.AspNetCore.Http;
using Sluice.Requests;
using Sluice.Server.OpenAi;

namespace Sluice.Server.Http;

/// <summary>
/// Turns whatever goes wrong before an answer has started into the error body. Texts of unexpected exceptions go to the log only:
/// they may name paths or memory.
/// </summary>
internal sealed class ErrorMiddleware(RequestDelegate next, ServerState state)
{
    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context);
            if (!context.Response.HasStarted && context.Response is { StatusCode: >= 400, ContentLength: null, ContentType: null })
            {
                await Answer.ErrorAsync(context, context.Response.StatusCode, TextOf(context));
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has gone; nobody reads an answer.
        }
        catch (Exception exception) when (!context.Response.HasStarted)
        {
            await AnswerAsync(context, exception);
        }
        catch (Exception exception) when (context.RequestAborted.IsCancellationRequested)
        {
            state.Log.Debug($"A client left while its answer was written: {exception.Message}");
        }
        catch (Exception exception)
        {
            // Half an answer is out: only a broken connection tells the client that it is not whole.
            state.Log.Error("An answer broke off", exception);
            context.Abort();
        }
    }

    private static string TextOf(HttpContext context) => context.Response.StatusCode switch
    {
        StatusCodes.Status404NotFound => "Not Found",
        StatusCodes.Status405MethodNotAllowed => "Method Not Allowed",
        StatusCodes.Status401Unauthorized => "Unauthorized",
        int code => Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(code),
    };

    private Task AnswerAsync(HttpContext context, Exception exception)
    {
        switch (exception)
        {
            case RequestValidationException wrong:
                return Answer.ErrorAsync(context, wrong.StatusCode, wrong.Message, wrong.Parameter);
            case ServerBusyException busy:
                return Answer.ErrorAsync(context, StatusCodes.Status503ServiceUnavailable, busy.Message);
            case GenerationFailedException failed:
                return Answer.ErrorAsync(context, failed.StatusCode, failed.Message);
            case BadHttpRequestException bad:
                context.Response.Headers.Connection = "close";
                return Answer.ErrorAsync(context, bad.StatusCode, bad.Message);
            case OperationCanceledException when state.Shutdown.AbortRequests.IsCancellationRequested:
                return Answer.ErrorAsync(context, StatusCodes.Status503ServiceUnavailable, ShutdownState.Message);
            default:
                state.Log.Error($"{context.Request.Method} {context.GetEndpoint()?.DisplayName} failed", exception);
                return Answer.ErrorAsync(context, StatusCodes.Status500InternalServerError, "Internal server error");
        }
    }
}

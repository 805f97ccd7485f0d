using Microsoft.AspNetCore.Http;
using Sluice.Requests;

namespace Sluice.Server.OpenAi;

/// <summary>The engine could not finish a request: a fault of its own (500), or the server goes down (503).</summary>
internal sealed class GenerationFailedException(string message, int statusCode) : Exception(message)
{
    public int StatusCode { get; } = statusCode;

    public static void ThrowIfFailed(TextOutput output)
    {
        switch (output.FinishReason)
        {
            case FinishReason.Error:
                throw new GenerationFailedException(output.Error ?? "Internal server error", StatusCodes.Status500InternalServerError);
            case FinishReason.Abort:
                throw new GenerationFailedException(
                    output.Error ?? "The request was aborted before it was finished", StatusCodes.Status503ServiceUnavailable);
            default:
                break;
        }
    }
}

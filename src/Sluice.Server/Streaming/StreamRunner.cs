using Microsoft.AspNetCore.Http;
using Sluice.Server.Http;
using Sluice.Server.OpenAi;

namespace Sluice.Server.Streaming;

/// <summary>Runs a stream from its first event to <c>[DONE]</c>; what goes wrong in between is told in an event.</summary>
internal static class StreamRunner
{
    public static async Task RunAsync(
        ServerState state, Generation generation, OutputOptions options, SseWriter sse, ITextEvents events, CancellationTokenSource aborting)
    {
        IntervalMerger? merger = options.StreamInterval > 1 ? new IntervalMerger(options.StreamInterval) : null;
        try
        {
            bool isComplete = await EventPump.RunAsync(
                generation.ReadAsync(aborting.Token),
                sse,
                item =>
                {
                    if (merger is null || merger.TryMerge(ref item))
                    {
                        events.Write(item);
                    }
                },
                aborting);
            if (!isComplete)
            {
                return;
            }

            events.WriteEnd();
        }
        catch (GenerationFailedException failure)
        {
            sse.Error(failure.Message, failure.StatusCode);
        }
        catch (OperationCanceledException) when (state.Shutdown.AbortRequests.IsCancellationRequested)
        {
            sse.Error(ShutdownState.Message, StatusCodes.Status503ServiceUnavailable);
        }
        catch (OperationCanceledException)
        {
            // The client has gone.
            return;
        }
        catch (Exception exception)
        {
            state.Log.Error("A stream failed", exception);
            sse.Error("Internal server error", StatusCodes.Status500InternalServerError);
        }

        sse.Done();
        _ = await sse.FlushAsync();
    }
}

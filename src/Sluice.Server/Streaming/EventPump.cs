using Sluice.Server.OpenAi;

namespace Sluice.Server.Streaming;

/// <summary>
/// Moves the outputs of a generation into events. It flushes when it would have to wait for the engine, so that outputs which are ready
/// together leave together.
/// </summary>
internal static class EventPump
{
    /// <summary>Outputs after which a flush comes even if more are ready.</summary>
    private const int MaxUnsentOutputs = 64;

    /// <param name="outputs">What the engine makes.</param>
    /// <param name="sse">Where events go.</param>
    /// <param name="write">Writes the events of one output.</param>
    /// <param name="aborting">The source of the token that <paramref name="outputs"/> watches.</param>
    /// <returns>False when the client has gone.</returns>
    public static async Task<bool> RunAsync(
        IAsyncEnumerable<PromptOutput> outputs, SseWriter sse, Action<PromptOutput> write, CancellationTokenSource aborting)
    {
        await using IAsyncEnumerator<PromptOutput> reader = outputs.GetAsyncEnumerator(aborting.Token);
        int unsent = 0;
        while (true)
        {
            ValueTask<bool> next = reader.MoveNextAsync();
            if (unsent > 0 && (unsent >= MaxUnsentOutputs || !next.IsCompleted))
            {
                unsent = 0;
                if (!await FlushAsync(sse))
                {
                    // The reader may be in the middle of a step; it has to end before it can be disposed.
                    await aborting.CancelAsync();
                    await Settle(next);
                    return false;
                }
            }

            if (!await next)
            {
                return true;
            }

            write(reader.Current);
            unsent++;
        }
    }

    private static async ValueTask<bool> FlushAsync(SseWriter sse)
    {
        try
        {
            return await sse.FlushAsync();
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or InvalidOperationException)
        {
            return false;
        }
    }

    private static async Task Settle(ValueTask<bool> step)
    {
        try
        {
            _ = await step;
        }
        catch (OperationCanceledException)
        {
            // As asked.
        }
    }
}

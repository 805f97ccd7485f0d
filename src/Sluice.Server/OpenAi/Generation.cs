using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Sluice.Requests;

namespace Sluice.Server.OpenAi;

/// <summary>An output and the prompt it belongs to.</summary>
internal readonly record struct PromptOutput(int PromptIndex, TextOutput Output);

/// <summary>What runs in the engine for one HTTP request: a stream of texts for each prompt. Disposing aborts what still runs.</summary>
internal sealed class Generation : IAsyncDisposable
{
    // Outputs of several prompts that may wait for a slow client before their streams are no longer read.
    private const int MergeCapacity = 64;

    // Ids of the prompt that decide how the first ids after it read; as many as vLLM takes.
    private const int PromptTailCount = 6;

    private readonly TextStream[] _streams;

    private Generation(TextStream[] streams) => _streams = streams;

    /// <summary>Hands all prompts to the engine, or none: when one is refused, those before it are aborted.</summary>
    public static async ValueTask<Generation> StartAsync(ServerState state, IReadOnlyList<GenerationRequest> requests, OutputOptions output)
    {
        state.CheckQueue(requests);
        List<TextStream> streams = new(requests.Count);
        try
        {
            foreach (GenerationRequest request in requests)
            {
                TextOptions options = new()
                {
                    SkipSpecialTokens = output.SkipSpecialTokens,
                    PromptTail = [.. request.PromptTokenIds.TakeLast(PromptTailCount)],
                };
                streams.Add(new TextStream(state.Engine.Submit(request), state.Engine.Tokenizer, request.Sampling, options));
            }
        }
        catch
        {
            foreach (TextStream stream in streams)
            {
                await stream.DisposeAsync();
            }

            throw;
        }

        return new Generation([.. streams]);
    }

    /// <summary>The outputs of all prompts as they come; in order within a choice.</summary>
    public IAsyncEnumerable<PromptOutput> ReadAsync(CancellationToken cancellation = default) =>
        _streams.Length == 1 ? ReadOneAsync(cancellation) : ReadMergedAsync(cancellation);

    public async ValueTask DisposeAsync()
    {
        foreach (TextStream stream in _streams)
        {
            await stream.DisposeAsync();
        }
    }

    private async IAsyncEnumerable<PromptOutput> ReadOneAsync([EnumeratorCancellation] CancellationToken cancellation = default)
    {
        await foreach (TextOutput output in _streams[0].WithCancellation(cancellation))
        {
            yield return new PromptOutput(0, output);
        }
    }

    private async IAsyncEnumerable<PromptOutput> ReadMergedAsync([EnumeratorCancellation] CancellationToken cancellation = default)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Channel<PromptOutput> merged = Channel.CreateBounded<PromptOutput>(
            new BoundedChannelOptions(MergeCapacity) { SingleReader = true });
        Task pumps = PumpAllAsync(merged.Writer, stop.Token);
        try
        {
            await foreach (PromptOutput output in merged.Reader.ReadAllAsync(CancellationToken.None))
            {
                yield return output;
            }
        }
        finally
        {
            await stop.CancelAsync();
            await pumps;
        }
    }

    private async Task PumpAllAsync(ChannelWriter<PromptOutput> merged, CancellationToken cancellation)
    {
        Exception? failure = null;
        try
        {
            await Task.WhenAll(_streams.Select((_, index) => PumpAsync(index, merged, cancellation)));
        }
        catch (Exception exception)
        {
            failure = exception;
        }

        // The failure reaches the reader through the channel.
        merged.TryComplete(failure);
    }

    private async Task PumpAsync(int index, ChannelWriter<PromptOutput> merged, CancellationToken cancellation)
    {
        await foreach (TextOutput output in _streams[index].WithCancellation(cancellation))
        {
            await merged.WriteAsync(new PromptOutput(index, output), cancellation);
        }
    }
}

using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Sluice.Requests;

namespace Sluice.Cli.Clients;

/// <summary>A model in this process. Owns the engine.</summary>
internal sealed class LocalTextSource(LlmEngine engine, string modelName) : ITextSource
{
    // As servers do for completions that name no limit.
    private const int StandardCompletionTokens = 16;

    private readonly SluiceChatClient? _chat = engine is { Tokenizer: not null, ChatTemplate: not null } ? new SluiceChatClient(engine) : null;

    public string ModelName { get; } = modelName;

    public async IAsyncEnumerable<TextPiece> ChatAsync(
        IReadOnlyList<ChatTurn> turns, int? maxTokens, [EnumeratorCancellation] CancellationToken cancellation)
    {
        if (_chat is null)
        {
            throw new UserErrorException($"{ModelName} has no chat template; give one with --chat-template FILE, or use `sluice complete`.");
        }

        ChatMessage[] messages = [.. turns.Select(turn => new ChatMessage(new ChatRole(turn.Role), turn.Text))];
        await foreach (ChatResponseUpdate update in _chat.GetStreamingResponseAsync(messages, new ChatOptions { MaxOutputTokens = maxTokens }, cancellation))
        {
            foreach (AIContent content in update.Contents)
            {
                if (content is TextReasoningContent thinking)
                {
                    yield return new TextPiece(thinking.Text, IsThinking: true);
                }
                else if (content is TextContent text)
                {
                    yield return new TextPiece(text.Text, IsThinking: false);
                }
            }
        }
    }

    public async IAsyncEnumerable<TextPiece> CompleteAsync(string prompt, int? maxTokens, [EnumeratorCancellation] CancellationToken cancellation)
    {
        if (engine.Tokenizer is null)
        {
            throw new UserErrorException($"{ModelName} has no tokenizer; `sluice complete` needs one.");
        }

        SamplingParams sampling = engine.DefaultSampling() with { MaxTokens = maxTokens ?? StandardCompletionTokens };
        await foreach (TextOutput output in engine.Stream(prompt, sampling).WithCancellation(cancellation))
        {
            if (output.Error is { } error)
            {
                throw new UserErrorException(error);
            }

            yield return new TextPiece(output.Text, IsThinking: false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _chat?.Dispose();
        await engine.DisposeAsync();
    }
}

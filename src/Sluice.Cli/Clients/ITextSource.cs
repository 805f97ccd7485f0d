namespace Sluice.Cli.Clients;

/// <summary>A piece of an answer.</summary>
/// <param name="Text">What follows the pieces before.</param>
/// <param name="IsThinking">Part of the model's thinking, not of its answer.</param>
internal readonly record struct TextPiece(string Text, bool IsThinking);

/// <summary>What answers <c>sluice chat</c> and <c>sluice complete</c>: a server, or a model in this process.</summary>
internal interface ITextSource : IAsyncDisposable
{
    string ModelName { get; }

    /// <param name="turns">The conversation up to the last message of the user.</param>
    /// <param name="maxTokens">Most tokens of the answer; null for the model's own limit.</param>
    /// <param name="cancellation">Ends the answer.</param>
    IAsyncEnumerable<TextPiece> ChatAsync(IReadOnlyList<ChatTurn> turns, int? maxTokens, CancellationToken cancellation);

    /// <param name="prompt">The text to go on from.</param>
    /// <param name="maxTokens">Most tokens of the answer; null for the standard limit.</param>
    /// <param name="cancellation">Ends the answer.</param>
    IAsyncEnumerable<TextPiece> CompleteAsync(string prompt, int? maxTokens, CancellationToken cancellation);
}

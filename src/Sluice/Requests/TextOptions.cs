namespace Sluice.Requests;

/// <summary>How tokens become text.</summary>
public sealed record TextOptions
{
    // As many as vLLM looks back: enough for a character whose bytes are spread over tokens.
    private const int TailLength = 6;

    /// <summary>Leave control tokens out of the text.</summary>
    public bool SkipSpecialTokens { get; init; } = true;

    /// <summary>
    /// The end of the prompt. Decoders that look at what comes before (a space at the start of a text, a character whose bytes several tokens
    /// share) then continue it; empty when the completion is a text of its own.
    /// </summary>
    public IReadOnlyList<int> PromptTail { get; init; } = [];

    /// <summary>The part of a prompt that matters for what follows.</summary>
    public static IReadOnlyList<int> TailOf(IReadOnlyList<int> promptTokenIds)
    {
        int[] tail = new int[Math.Min(TailLength, promptTokenIds.Count)];
        for (int i = 0; i < tail.Length; i++)
        {
            tail[i] = promptTokenIds[promptTokenIds.Count - tail.Length + i];
        }

        return tail;
    }
}

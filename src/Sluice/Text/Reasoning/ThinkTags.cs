namespace Sluice.Text.Reasoning;

/// <summary>The tags that DeepSeek and Qwen models put around their reasoning.</summary>
internal static class ThinkTags
{
    public const string Open = "<think>";

    public const string Close = "</think>";

    /// <summary>Whether the prompt leaves the model inside reasoning (true), past it (false), or does not say (null).</summary>
    public static bool? StartsInReasoning(string prompt, bool continuesFinalMessage)
    {
        if (continuesFinalMessage)
        {
            int opened = prompt.LastIndexOf(Open, StringComparison.Ordinal);
            int closed = prompt.LastIndexOf(Close, StringComparison.Ordinal);
            return opened == closed ? null : opened > closed;
        }

        // Tags of earlier turns say nothing: only a tag that ends the prompt belongs to the turn that begins.
        ReadOnlySpan<char> tail = prompt.AsSpan().TrimEnd();
        return tail.EndsWith(Open, StringComparison.Ordinal) ? true
            : tail.EndsWith(Close, StringComparison.Ordinal) ? false
            : null;
    }
}

using System.Text.Json;

namespace Sluice.Text;

/// <summary>A conversation to render. The JSON is read during the call and not kept.</summary>
public sealed record ChatTemplateInput
{
    /// <summary>The messages: an array of objects with a <c>role</c>.</summary>
    public required JsonElement Messages { get; init; }

    /// <summary>Tool definitions, an array; none where null.</summary>
    public JsonElement? Tools { get; init; }

    /// <summary>Documents for retrieval templates, an array; none where null.</summary>
    public JsonElement? Documents { get; init; }

    /// <summary>Whether the prompt ends with the header of the assistant's turn.</summary>
    public bool AddGenerationPrompt { get; init; } = true;

    /// <summary>Whether the prompt ends right after the final message's text, for the model to go on with it.</summary>
    public bool ContinueFinalMessage { get; init; }

    /// <summary>
    /// More variables (chat_template_kwargs). Those that the template does not read are ignored, and the conversation
    /// and the special tokens cannot be replaced through them. At most 5 levels, 128 values and 16 KiB.
    /// </summary>
    public IReadOnlyDictionary<string, JsonElement>? Kwargs { get; init; }

    /// <summary>What <c>strftime_now</c> shows; the local time where null.</summary>
    public DateTimeOffset? Now { get; init; }

    /// <summary>The form of content; null takes the template's own.</summary>
    public ChatContentFormat? ContentFormat { get; init; }
}

/// <summary>A prompt, and which ranges of it (UTF-16 indices, sorted, disjoint) are the client's data and hold no control tokens.</summary>
public sealed record RenderedPrompt(string Text, IReadOnlyList<TextSpan> ContentSpans);

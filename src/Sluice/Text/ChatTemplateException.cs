namespace Sluice.Text;

/// <summary>
/// A chat template that cannot be parsed, or cannot render a conversation: a syntax error, an error of the template's
/// own code, its <c>raise_exception</c>, a spent budget, or a message that it cannot take. The message is meant for
/// the client that sent the conversation.
/// </summary>
public sealed class ChatTemplateException : Exception
{
    /// <summary>Makes the error with the text that a client will see.</summary>
    public ChatTemplateException(string message)
        : base(message)
    {
    }

    /// <summary>The line of the template (from 1) where it happened, where known.</summary>
    public int? Line { get; internal set; }

    /// <summary>The request field at fault, such as <c>messages[0].content[1]</c>, where it is one field's fault.</summary>
    public string? Parameter { get; init; }

    /// <summary>True when the template ran into one of the sandbox's limits.</summary>
    internal bool IsBudget { get; init; }
}

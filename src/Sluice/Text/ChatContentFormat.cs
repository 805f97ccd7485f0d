namespace Sluice.Text;

/// <summary>The form in which a template expects the content of messages.</summary>
public enum ChatContentFormat
{
    /// <summary>A string; text parts are joined with newlines.</summary>
    String,

    /// <summary>A list of parts, <c>{"type":"text","text":…}</c>; a string becomes a list of one.</summary>
    OpenAi,
}

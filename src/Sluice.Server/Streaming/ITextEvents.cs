using Sluice.Server.OpenAi;

namespace Sluice.Server.Streaming;

/// <summary>Writes the outputs of a request as events: chunks of chats or of completions.</summary>
internal interface ITextEvents
{
    /// <summary>Writes the events of one output.</summary>
    void Write(PromptOutput item);

    /// <summary>Writes what follows the last output, up to <c>[DONE]</c>.</summary>
    void WriteEnd();
}

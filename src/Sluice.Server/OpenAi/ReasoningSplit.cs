using Sluice.Requests;
using Sluice.Text.Reasoning;

namespace Sluice.Server.OpenAi;

/// <summary>Splits the text of one choice into thinking and answer, where the server has a parser for its model.</summary>
internal sealed class ReasoningSplit
{
    private readonly ReasoningParser? _parser;

    public ReasoningSplit(ServerOptions options, ChatRequest request) =>
        _parser = string.IsNullOrEmpty(options.ReasoningParser)
            ? null
            : ReasoningParser.Create(options.ReasoningParser, request.PromptText, request.ContinuesFinalMessage, request.EnableThinking);

    /// <summary>Tokens of thinking so far; none without a parser.</summary>
    public int? TokenCount => _parser?.ReasoningTokenCount;

    /// <summary>What one more output adds.</summary>
    public ReasoningDelta Next(TextOutput output)
    {
        if (_parser is null)
        {
            return new ReasoningDelta("", output.Text);
        }

        ReasoningDelta delta = _parser.Append(output.Text, output.TokenIds.Count);
        if (output.FinishReason is null)
        {
            return delta;
        }

        ReasoningDelta rest = _parser.Flush();
        return new ReasoningDelta(delta.Reasoning + rest.Reasoning, delta.Content + rest.Content);
    }
}

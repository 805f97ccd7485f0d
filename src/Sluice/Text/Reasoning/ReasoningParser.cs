namespace Sluice.Text.Reasoning;

/// <summary>A piece of output, split into what the model thought and what it says. Either may be empty.</summary>
public readonly record struct ReasoningDelta(string Reasoning, string Content);

/// <summary>
/// Splits the output of a reasoning model at its think tags as it streams, one instance a choice. What cannot be
/// decided yet, such as half a tag, is held back: the concatenated deltas do not depend on how the text was cut.
/// No whitespace is stripped, as vLLM strips none.
/// </summary>
public abstract class ReasoningParser
{
    private static readonly string[] Names = ["deepseek_r1", "qwen3"];

    /// <summary>The names that <see cref="Create"/> knows (--reasoning-parser).</summary>
    public static IReadOnlyList<string> KnownNames => Names;

    /// <summary>Whether the text that comes next is reasoning, as far as is known.</summary>
    public abstract bool InReasoning { get; }

    /// <summary>Tokens of reasoning so far, those of the tags not counted (completion_tokens_details.reasoning_tokens).</summary>
    public int ReasoningTokenCount { get; private protected set; }

    /// <summary>Makes the parser of that name for one choice.</summary>
    /// <param name="name">One of <see cref="KnownNames"/>.</param>
    /// <param name="prompt">The rendered prompt: a template may have opened or closed the model's thinking at its end.</param>
    /// <param name="continuesFinalMessage">Whether the output goes on with the prompt's final message, which may itself be in its reasoning or past it.</param>
    /// <param name="enableThinking">The request's chat_template_kwargs.enable_thinking; true where it is not given. Only qwen3 heeds it.</param>
    /// <exception cref="UserErrorException">There is no such parser.</exception>
    public static ReasoningParser Create(string name, string prompt = "", bool continuesFinalMessage = false, bool enableThinking = true)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return name switch
        {
            "deepseek_r1" => new ThinkTagParser(ThinkTags.StartsInReasoning(prompt, continuesFinalMessage) ?? true, []),

            // Qwen3.5 may call a tool without closing its thinking first.
            "qwen3" => new ThinkTagParser(ThinkTags.StartsInReasoning(prompt, continuesFinalMessage) ?? enableThinking, ["<tool_call>"]),
            _ => throw new UserErrorException($"--reasoning-parser {name} is not known; known are: {string.Join(", ", Names)}."),
        };
    }

    /// <summary>Takes the next piece of text and gives what can be sent of it.</summary>
    /// <param name="textDelta">The text, which may be empty.</param>
    /// <param name="tokenCount">The tokens it came from, for <see cref="ReasoningTokenCount"/>.</param>
    public abstract ReasoningDelta Append(string textDelta, int tokenCount = 0);

    /// <summary>Gives what was held back, once the output has ended.</summary>
    public abstract ReasoningDelta Flush();

    /// <summary>Splits a complete output.</summary>
    public ReasoningDelta Parse(string text)
    {
        ReasoningDelta start = Append(text);
        ReasoningDelta rest = Flush();
        return new ReasoningDelta(start.Reasoning + rest.Reasoning, start.Content + rest.Content);
    }
}

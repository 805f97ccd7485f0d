using System.Text.Json;
using Sluice.Requests;
using Sluice.Text;

namespace Sluice.Server.OpenAi;

/// <summary>How the text or the ids of a prompt become what the engine gets: encoding, truncation, and the fit into the context.</summary>
internal sealed class PromptRules
{
    private readonly ServerState _state;
    private readonly int? _truncateTo;
    private readonly bool _keepsStart;

    /// <param name="fields">The body.</param>
    /// <param name="state">Tokenizer and context length.</param>
    /// <param name="outputTokenCount">Tokens that the request sets aside for its answer; 0 when it says nothing.</param>
    /// <param name="addSpecialTokens">Whether a text gets the tokenizer's own start and end tokens when the request says nothing.</param>
    public PromptRules(Fields fields, ServerState state, int outputTokenCount, bool addSpecialTokens)
    {
        _state = state;
        OutputTokenCount = outputTokenCount;
        AddSpecialTokens = fields.Boolean(Limits.AddSpecialTokens, addSpecialTokens);
        int? truncate = fields.Int32(Limits.TruncatePromptTokens);
        _truncateTo = truncate == -1 ? Math.Max(1, state.Engine.MaxModelLen - Math.Max(1, outputTokenCount)) : truncate;
        string side = fields.Text(Limits.TruncationSide) ?? "left";
        _keepsStart = side switch
        {
            "left" => false,
            "right" => true,
            _ => throw fields.Wrong("truncation_side", $"must be left or right, got {Quote.Text(side)}"),
        };
    }

    /// <summary>Tokens that the request sets aside for its answer.</summary>
    public int OutputTokenCount { get; }

    public bool AddSpecialTokens { get; }

    /// <summary>Ids of a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="literalSpans">Where special tokens in it are only text; none where all are meant.</param>
    /// <param name="name">Field that the text came from.</param>
    public int[] Encode(string text, IReadOnlyList<TextSpan>? literalSpans, string name)
    {
        Tokenizer tokenizer = _state.Engine.Tokenizer ?? throw new RequestValidationException(
            $"{name} must be token ids: this model is served without a tokenizer", name);
        if (text.Length == 0)
        {
            throw new RequestValidationException("Either prompt or prompt_embeds must be provided and non-empty.", name);
        }

        RefuseHopeless(text);
        IReadOnlyList<int> ids = literalSpans is null
            ? tokenizer.Encode(text, AddSpecialTokens)
            : tokenizer.Encode(text, AddSpecialTokens, literalSpans);
        return Fit([.. ids]);
    }

    /// <summary>Truncates where asked, and checks that prompt and answer fit into the context together.</summary>
    public int[] Fit(int[] ids)
    {
        if (_truncateTo is int limit && ids.Length > limit)
        {
            ids = _keepsStart ? ids[..limit] : ids[^limit..];
        }

        if (ids.Length == 0)
        {
            throw new RequestValidationException("Either prompt or prompt_embeds must be provided and non-empty.", "prompt");
        }

        // An answer of unsaid length needs one token at least.
        int context = _state.Engine.MaxModelLen;
        int wanted = ids.Length == context ? Math.Max(1, OutputTokenCount) : OutputTokenCount;
        return ids.Length + wanted <= context ? ids : throw TooLong(context, wanted, ids.Length, "");
    }

    /// <summary>Ids of a JSON list. One that cannot fit is not even read.</summary>
    public int[] Read(Fields fields, JsonElement list, string name)
    {
        int count = list.GetArrayLength();
        if (_truncateTo is null && count > _state.Engine.MaxModelLen)
        {
            throw TooLong(_state.Engine.MaxModelLen, OutputTokenCount, count, "");
        }

        return Fit(fields.TokenIds(list, name, _state.Engine.VocabularySize));
    }

    // A megabyte of text for a context of a thousand tokens need not be encoded to know that it does not fit.
    private void RefuseHopeless(string text)
    {
        if (_truncateTo is null)
        {
            int context = _state.Engine.MaxModelLen;
            int least = text.Length / _state.MaxTokenLength;
            if (least + (long)OutputTokenCount > context)
            {
                throw TooLong(context, OutputTokenCount, least, "at least ");
            }
        }
    }

    // The text is vLLM's, word for word: clients parse it.
    private static RequestValidationException TooLong(int context, int outputCount, int promptCount, string bound) => new(
        $"This model's maximum context length is {context} tokens. However, you requested {outputCount} output tokens and your prompt "
        + $"contains {bound}{promptCount} input tokens, for a total of {bound}{(long)outputCount + promptCount} tokens. Please reduce the "
        + $"length of the input prompt or the number of requested output tokens. (parameter=input_tokens, value={promptCount})",
        "input_tokens");
}

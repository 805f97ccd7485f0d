using Sluice.Requests;
using Sluice.Server.OpenAi;

namespace Sluice.Server.Streaming;

/// <summary>
/// The chunks of <c>/v1/chat/completions</c>, in vLLM's order: the role of each choice when the engine's first output arrives, texts, the
/// end of each choice, the usage.
/// </summary>
internal sealed class ChatStream : ITextEvents
{
    private readonly ServerState _state;
    private readonly ChatRequest _request;
    private readonly SseWriter _sse;
    private readonly TokenNames _names;
    private readonly Choice[] _choices;
    private readonly byte[] _head;
    private bool _hasStarted;
    private int? _cachedTokens;

    public ChatStream(ServerState state, ChatRequest request, string id, long created, SseWriter sse)
    {
        _state = state;
        _request = request;
        _sse = sse;
        _names = new TokenNames(state.Engine.Tokenizer, request.Output.TokensAsIds);
        _choices = new Choice[request.Sampling.N];
        for (int index = 0; index < _choices.Length; index++)
        {
            _choices[index] = new Choice(new ReasoningSplit(state.Options, request));
        }

        _head = ChunkHead.Of(id, "chat.completion.chunk", created, state.ModelNames[0]);
    }

    /// <summary>Writes the chunks of one output.</summary>
    public void Write(PromptOutput item)
    {
        TextOutput output = item.Output;
        GenerationFailedException.ThrowIfFailed(output);
        if (!_hasStarted)
        {
            _hasStarted = true;
            WriteRoles();
        }

        if (output.ChoiceIndex == 0)
        {
            _cachedTokens ??= output.CachedTokenCount;
        }

        Choice choice = _choices[output.ChoiceIndex];
        choice.TokenCount += output.TokenIds.Count;
        (string reasoning, string content) = choice.Split.Next(output);
        _sse.Raw(_head).Raw("{\"index\":"u8).Number(output.ChoiceIndex).Raw(",\"delta\":"u8);
        WriteDelta(_request.Output.IncludeReasoning ? reasoning : "", content);
        _sse.Raw(",\"logprobs\":"u8);
        WriteLogprobs(output);
        WriteFinish(output);
        _sse.Raw(",\"token_ids\":"u8);
        WriteIds(_request.Output.ReturnTokenIds ? output.TokenIds : null);
        _sse.Raw("}]"u8);
        if (output.FinishReason is not null && !_request.Output.IncludeUsage)
        {
            _sse.Raw(",\"system_fingerprint\":"u8).Text(_state.SystemFingerprint);
        }

        WriteContinuousUsage(choice.TokenCount);
        _sse.Raw("}\n\n"u8);
    }

    /// <summary>Writes what follows the last output.</summary>
    public void WriteEnd()
    {
        if (!_request.Output.IncludeUsage)
        {
            return;
        }

        int completionTokens = 0;
        int? reasoningTokens = null;
        foreach (Choice choice in _choices)
        {
            completionTokens += choice.TokenCount;
            reasoningTokens = choice.Split.TokenCount is int count ? (reasoningTokens ?? 0) + count : null;
        }

        _sse.Raw(_head).Raw("],\"system_fingerprint\":"u8).Text(_state.SystemFingerprint);
        WriteUsage(new Usage(_request.PromptTokenIds.Length, completionTokens)
        {
            CachedTokens = _state.Options.EnablePromptTokensDetails ? _cachedTokens ?? 0 : null,
            ReasoningTokens = reasoningTokens,
        });
        _sse.Raw("}\n\n"u8);
    }

    private void WriteRoles()
    {
        for (int index = 0; index < _choices.Length; index++)
        {
            _sse.Raw(_head).Raw("{\"index\":"u8).Number(index).Raw(",\"delta\":{\"role\":"u8).Text(_request.Role);
            _sse.Raw(",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}],\"prompt_token_ids\":"u8);
            WriteIds(_request.Output.ReturnTokenIds ? _request.PromptTokenIds : null);
            _sse.Raw(",\"prompt_text\":"u8);
            if (_request.Output.ReturnPromptText)
            {
                _sse.Text(_request.PromptText);
            }
            else
            {
                _sse.Raw("null"u8);
            }

            WriteContinuousUsage(0);
            _sse.Raw("}\n\n"u8);
            if (_request.EchoedText.Length > 0)
            {
                _sse.Raw(_head).Raw("{\"index\":"u8).Number(index).Raw(",\"delta\":{\"content\":"u8).Text(_request.EchoedText);
                _sse.Raw("},\"logprobs\":null,\"finish_reason\":null}]"u8);
                WriteContinuousUsage(0);
                _sse.Raw("}\n\n"u8);
            }
        }
    }

    private void WriteDelta(string reasoning, string content)
    {
        if (reasoning.Length == 0)
        {
            _sse.Raw("{\"content\":"u8).Text(content).Raw("}"u8);
            return;
        }

        _sse.Raw("{\"reasoning\":"u8).Text(reasoning).Raw(",\"reasoning_content\":"u8).Text(reasoning);
        if (content.Length > 0)
        {
            _sse.Raw(",\"content\":"u8).Text(content);
        }

        _sse.Raw("}"u8);
    }

    private void WriteLogprobs(TextOutput output)
    {
        if (_request.Output.Logprobs is not int topCount || output.Logprobs is not { Count: > 0 } positions)
        {
            _sse.Raw("null"u8);
            return;
        }

        LogprobsJson.WriteChat(_sse.BeginJson(), positions, topCount, _names);
        _sse.EndJson();
    }

    private void WriteFinish(TextOutput output)
    {
        if (output.FinishReason is null)
        {
            _sse.Raw(",\"finish_reason\":null"u8);
            return;
        }

        _sse.Raw(",\"finish_reason\":"u8).Text(FinishNames.Of(output.FinishReason)!).Raw(",\"stop_reason\":"u8);
        FinishNames.WriteStopReason(_sse.BeginJson(), output);
        _sse.EndJson();
    }

    private void WriteIds(IReadOnlyList<int>? ids)
    {
        JsonLists.WriteIds(_sse.BeginJson(), ids);
        _sse.EndJson();
    }

    private void WriteContinuousUsage(int completionTokens)
    {
        if (_request.Output.ContinuousUsage)
        {
            WriteUsage(new Usage(_request.PromptTokenIds.Length, completionTokens));
        }
    }

    private void WriteUsage(Usage usage)
    {
        _sse.Raw(",\"usage\":"u8);
        usage.WriteTo(_sse.BeginJson(), writesNulls: false);
        _sse.EndJson();
    }

    private sealed class Choice(ReasoningSplit split)
    {
        public ReasoningSplit Split { get; } = split;

        public int TokenCount { get; set; }
    }
}

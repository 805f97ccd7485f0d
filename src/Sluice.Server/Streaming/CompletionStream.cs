using Sluice.Requests;
using Sluice.Server.OpenAi;

namespace Sluice.Server.Streaming;

/// <summary>The chunks of <c>/v1/completions</c>.</summary>
internal sealed class CompletionStream : ITextEvents
{
    private readonly ServerState _state;
    private readonly CompletionRequest _request;
    private readonly SseWriter _sse;
    private readonly TokenNames _names;
    private readonly Choice[] _choices;
    private readonly byte[] _head;
    private readonly int _promptTokens;
    private int _cachedTokens;

    public CompletionStream(ServerState state, CompletionRequest request, string id, long created, SseWriter sse)
    {
        _state = state;
        _request = request;
        _sse = sse;
        _names = new TokenNames(state.Engine.Tokenizer, request.Output.TokensAsIds);
        _choices = new Choice[request.Prompts.Count * request.Sampling.N];
        for (int index = 0; index < _choices.Length; index++)
        {
            _choices[index] = new Choice();
        }

        _promptTokens = request.Prompts.Sum(static prompt => prompt.Length);
        _head = ChunkHead.Of(id, "text_completion", created, state.ModelNames[0]);
    }

    /// <summary>Writes the chunk of one output.</summary>
    public void Write(PromptOutput item)
    {
        TextOutput output = item.Output;
        GenerationFailedException.ThrowIfFailed(output);
        int index = (item.PromptIndex * _request.Sampling.N) + output.ChoiceIndex;
        Choice choice = _choices[index];
        bool isFirst = !choice.HasStarted;
        if (isFirst && output.ChoiceIndex == 0)
        {
            _cachedTokens += output.CachedTokenCount;
        }

        choice.HasStarted = true;
        choice.TokenCount += _request.IsEchoOnly ? 0 : output.TokenIds.Count;
        int[] prompt = _request.Prompts[item.PromptIndex];
        string text = _request.IsEchoOnly ? "" : output.Text;
        _sse.Raw(_head).Raw("{\"index\":"u8).Number(index).Raw(",\"text\":"u8);
        _sse.Text(isFirst && _request.Output.Echo ? _state.DecodePrompt(prompt) + text : text).Raw(",\"logprobs\":"u8);
        WriteLogprobs(choice, output, isFirst && _request.Output.Echo ? prompt : []);
        WriteFinish(output);
        _sse.Raw(",\"prompt_token_ids\":"u8);
        WriteIds(isFirst && _request.Output.ReturnTokenIds ? prompt : null);
        _sse.Raw(",\"token_ids\":"u8);
        WriteIds(!_request.Output.ReturnTokenIds ? null : _request.IsEchoOnly ? [] : output.TokenIds);
        _sse.Raw("}]"u8);
        if (output.FinishReason is not null && !_request.Output.IncludeUsage)
        {
            _sse.Raw(",\"system_fingerprint\":"u8).Text(_state.SystemFingerprint);
        }

        if (_request.Output.ContinuousUsage)
        {
            WriteUsage(new Usage(prompt.Length, choice.TokenCount));
        }

        _sse.Raw("}\n\n"u8);
    }

    /// <summary>Writes what follows the last output.</summary>
    public void WriteEnd()
    {
        if (_request.Output.IncludeUsage)
        {
            int completionTokens = 0;
            foreach (Choice choice in _choices)
            {
                completionTokens += choice.TokenCount;
            }

            _sse.Raw(_head).Raw("],\"system_fingerprint\":"u8).Text(_state.SystemFingerprint);
            WriteUsage(new Usage(_promptTokens, completionTokens)
            {
                CachedTokens = _state.Options.EnablePromptTokensDetails ? _cachedTokens : null,
            });
            _sse.Raw("}\n\n"u8);
        }
    }

    private void WriteLogprobs(Choice choice, TextOutput output, int[] echoed)
    {
        if (_request.Output.Logprobs is not int topCount)
        {
            _sse.Raw("null"u8);
            return;
        }

        IReadOnlyList<int> ids = _request.IsEchoOnly ? [] : output.TokenIds;
        IReadOnlyList<PositionLogprobs?> positions = _request.IsEchoOnly ? [] : output.Logprobs ?? [];
        if (echoed.Length > 0)
        {
            ids = [.. echoed, .. ids];
            positions = [.. output.PromptLogprobs ?? new PositionLogprobs?[echoed.Length], .. positions];
        }

        choice.TextOffset = LogprobsJson.WriteCompletion(_sse.BeginJson(), ids, positions, topCount, _names, choice.TextOffset);
        _sse.EndJson();
    }

    private void WriteFinish(TextOutput output)
    {
        if (output.FinishReason is null)
        {
            _sse.Raw(",\"finish_reason\":null,\"stop_reason\":null"u8);
            return;
        }

        _sse.Raw(",\"finish_reason\":"u8).Text(_request.IsEchoOnly ? "length" : FinishNames.Of(output.FinishReason)!);
        _sse.Raw(",\"stop_reason\":"u8);
        FinishNames.WriteStopReason(_sse.BeginJson(), _request.IsEchoOnly ? null : output);
        _sse.EndJson();
    }

    private void WriteIds(IReadOnlyList<int>? ids)
    {
        JsonLists.WriteIds(_sse.BeginJson(), ids);
        _sse.EndJson();
    }

    private void WriteUsage(Usage usage)
    {
        _sse.Raw(",\"usage\":"u8);
        usage.WriteTo(_sse.BeginJson(), writesNulls: false);
        _sse.EndJson();
    }

    private sealed class Choice
    {
        public bool HasStarted { get; set; }

        public int TokenCount { get; set; }

        /// <summary>Code points of the tokens whose logprobs were sent.</summary>
        public int TextOffset { get; set; }
    }
}

namespace Sluice.Requests;

/// <summary>What one choice has produced and its reader has not taken yet. Guarded by the lock of its <see cref="RequestStream"/>.</summary>
internal sealed class ChoiceBuffer(int choiceIndex)
{
    private int[] _tokenIds = new int[4];
    private PositionLogprobs[]? _logprobs;
    private IReadOnlyList<PositionLogprobs?>? _promptLogprobs;
    private int _cachedTokenCount;
    private FinishReason? _finishReason;
    private int? _stopTokenId;
    private string? _error;
    private int _count;

    /// <summary>Tokens that wait for the reader; read by the engine loop without the lock.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>True from the end of the choice on: nothing may follow.</summary>
    public bool IsFinished => _finishReason is not null;

    /// <summary>True while the choice stands in the stream's queue of choices with something to read.</summary>
    public bool IsQueued { get; set; }

    /// <summary>What comes with the first output.</summary>
    public void Begin(int cachedTokenCount, IReadOnlyList<PositionLogprobs?>? promptLogprobs)
    {
        _cachedTokenCount = cachedTokenCount;
        _promptLogprobs = promptLogprobs;
    }

    public void Append(int tokenId, PositionLogprobs? logprobs)
    {
        if (_count == _tokenIds.Length)
        {
            Array.Resize(ref _tokenIds, _count * 2);
        }

        _tokenIds[_count] = tokenId;
        if (logprobs is not null)
        {
            _logprobs ??= new PositionLogprobs[_tokenIds.Length];
            if (_count >= _logprobs.Length)
            {
                Array.Resize(ref _logprobs, _tokenIds.Length);
            }

            _logprobs[_count] = logprobs;
        }

        Volatile.Write(ref _count, _count + 1);
    }

    public void Finish(FinishReason reason, int? stopTokenId, string? error)
    {
        _finishReason = reason;
        _stopTokenId = stopTokenId;
        _error = error;
    }

    /// <summary>Everything since the last call, as one output.</summary>
    public TokenOutput Take()
    {
        var output = new TokenOutput
        {
            ChoiceIndex = choiceIndex,
            TokenIds = _count == 0 ? [] : _tokenIds.AsSpan(0, _count).ToArray(),
            Logprobs = _logprobs is null || _count == 0 ? null : _logprobs.AsSpan(0, _count).ToArray(),
            Edge = TakeEdge(),
        };
        _logprobs?.AsSpan(0, _count).Clear();
        Volatile.Write(ref _count, 0);
        return output;
    }

    private OutputEdge? TakeEdge()
    {
        if (_promptLogprobs is null && _cachedTokenCount == 0 && _finishReason is null)
        {
            return null;
        }

        var edge = new OutputEdge
        {
            PromptLogprobs = _promptLogprobs,
            CachedTokenCount = _cachedTokenCount,
            FinishReason = _finishReason,
            StopTokenId = _stopTokenId,
            Error = _error,
        };
        _promptLogprobs = null;
        _cachedTokenCount = 0;
        return edge;
    }
}

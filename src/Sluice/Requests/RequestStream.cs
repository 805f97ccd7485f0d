using System.Threading.Tasks.Sources;

namespace Sluice.Requests;

/// <summary>
/// The outputs of one request, for one reader. Tokens that arrive while the reader is busy are joined, so that a slow
/// reader gets fewer and longer outputs, in order, and nothing is lost. A choice whose reader leaves
/// <see cref="BufferedTokenLimit"/> tokens lying is not computed further until they are taken, and is aborted after 30 seconds.
/// Every choice ends with exactly one output that has a <see cref="TokenOutput.FinishReason"/>. Leaving the loop early,
/// disposing, or cancelling aborts what still runs.
/// </summary>
public sealed class RequestStream : IAsyncEnumerable<TokenOutput>, IAsyncDisposable
{
    /// <summary>Unread tokens of a choice at which the engine stops computing more.</summary>
    public const int BufferedTokenLimit = 1024;

    private readonly Lock _gate = new();
    private readonly ChoiceBuffer[] _choices;
    private readonly Queue<int> _ready;
    private readonly Action<int> _abort;
    private readonly Action _caughtUp;
    private readonly Reader _reader;
    private int _openCount;
    private bool _readerWaits;
    private bool _readerTaken;
    private volatile bool _disposed;

    /// <param name="requestId">Name of the request.</param>
    /// <param name="choiceCount">Completions asked for.</param>
    /// <param name="abort">Called with the index of a choice, or -1 for all that still run.</param>
    /// <param name="caughtUp">Called when a reader took from a full buffer.</param>
    internal RequestStream(string requestId, int choiceCount, Action<int> abort, Action caughtUp)
    {
        RequestId = requestId;
        _abort = abort;
        _caughtUp = caughtUp;
        _openCount = choiceCount;
        _ready = new Queue<int>(choiceCount);
        _choices = new ChoiceBuffer[choiceCount];
        for (int i = 0; i < choiceCount; i++)
        {
            _choices[i] = new ChoiceBuffer(i);
        }

        _reader = new Reader(this);
    }

    /// <summary>Name of the request.</summary>
    public string RequestId { get; }

    /// <summary>Ends all choices that still run; each gets its last output with <see cref="FinishReason.Abort"/>.</summary>
    public void Abort() => _abort(-1);

    /// <summary>Ends one choice.</summary>
    public void Abort(int choiceIndex)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)choiceIndex, (uint)_choices.Length);
        _abort(choiceIndex);
    }

    /// <summary>The reader; there is one only.</summary>
    public IAsyncEnumerator<TokenOutput> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            if (_readerTaken)
            {
                throw new InvalidOperationException("A request stream is read once.");
            }

            _readerTaken = true;
        }

        _reader.Start(cancellationToken);
        return _reader;
    }

    /// <summary>Aborts what still runs. Outputs that nobody read are dropped.</summary>
    public ValueTask DisposeAsync()
    {
        _disposed = true;
        if (Volatile.Read(ref _openCount) > 0)
        {
            _abort(-1);
        }

        return ValueTask.CompletedTask;
    }

    /// <summary>True while no more tokens of this choice should be computed.</summary>
    internal bool IsFull(int choiceIndex) => _choices[choiceIndex].Count >= BufferedTokenLimit;

    /// <summary>Sets what comes with the first output of a choice; before its first token.</summary>
    internal void Begin(int choiceIndex, int cachedTokenCount, IReadOnlyList<PositionLogprobs?>? promptLogprobs)
    {
        lock (_gate)
        {
            _choices[choiceIndex].Begin(cachedTokenCount, promptLogprobs);
        }
    }

    /// <summary>Hands a token to the reader; never waits for it.</summary>
    internal void Append(int choiceIndex, int tokenId, PositionLogprobs? logprobs)
    {
        bool wake;
        lock (_gate)
        {
            if (_disposed || _choices[choiceIndex].IsFinished)
            {
                return;
            }

            _choices[choiceIndex].Append(tokenId, logprobs);
            wake = Enqueue(choiceIndex);
        }

        Wake(wake);
    }

    /// <summary>Ends a choice; only the first call for it counts.</summary>
    internal void Finish(int choiceIndex, FinishReason reason, int? stopTokenId = null, string? error = null)
    {
        bool wake;
        lock (_gate)
        {
            if (_choices[choiceIndex].IsFinished)
            {
                return;
            }

            _choices[choiceIndex].Finish(reason, stopTokenId, error);
            _openCount--;
            wake = Enqueue(choiceIndex);
        }

        Wake(wake);
    }

    private bool Enqueue(int choiceIndex)
    {
        ChoiceBuffer choice = _choices[choiceIndex];
        if (!choice.IsQueued)
        {
            choice.IsQueued = true;
            _ready.Enqueue(choiceIndex);
        }

        bool wake = _readerWaits;
        _readerWaits = false;
        return wake;
    }

    private void Wake(bool wake)
    {
        if (wake)
        {
            ThreadPool.UnsafeQueueUserWorkItem(_reader, preferLocal: false);
        }
    }

    /// <summary>Under the lock: the next output, or none when nothing is ready.</summary>
    private TokenOutput? TakeNext(out bool wasFull)
    {
        wasFull = false;
        if (!_ready.TryDequeue(out int index))
        {
            return null;
        }

        ChoiceBuffer choice = _choices[index];
        choice.IsQueued = false;
        wasFull = choice.Count >= BufferedTokenLimit;
        return choice.Take();
    }

    /// <summary>
    /// The one enumerator. It is its own task source and its own thread pool item, so that a token that the reader waits for
    /// costs no allocation but the output itself, and the engine loop never runs code of the reader.
    /// </summary>
    private sealed class Reader(RequestStream stream) : IAsyncEnumerator<TokenOutput>, IValueTaskSource<bool>, IThreadPoolWorkItem
    {
        private ManualResetValueTaskSourceCore<bool> _source;
        private CancellationToken _cancellation;
        private CancellationTokenRegistration _registration;

        public TokenOutput Current { get; private set; } = null!;

        public void Start(CancellationToken cancellation)
        {
            _cancellation = cancellation;
            _registration = cancellation.UnsafeRegister(static state => ((Reader)state!).Cancel(), this);
        }

        public ValueTask<bool> MoveNextAsync()
        {
            if (_cancellation.IsCancellationRequested)
            {
                stream.Abort();
                return ValueTask.FromCanceled<bool>(_cancellation);
            }

            bool wasFull;
            lock (stream._gate)
            {
                TokenOutput? next = stream.TakeNext(out wasFull);
                if (next is null)
                {
                    if (stream._openCount == 0 || stream._disposed)
                    {
                        return new ValueTask<bool>(false);
                    }

                    _source.Reset();
                    stream._readerWaits = true;
                    return new ValueTask<bool>(this, _source.Version);
                }

                Current = next;
            }

            if (wasFull)
            {
                stream._caughtUp();
            }

            return new ValueTask<bool>(true);
        }

        /// <summary>On the thread pool, after the writer cleared the waiting flag: hands over what has come by now.</summary>
        void IThreadPoolWorkItem.Execute()
        {
            bool wasFull;
            lock (stream._gate)
            {
                Current = stream.TakeNext(out wasFull)!;
            }

            if (wasFull)
            {
                stream._caughtUp();
            }

            _source.SetResult(true);
        }

        public ValueTask DisposeAsync()
        {
            _registration.Dispose();
            return stream.DisposeAsync();
        }

        bool IValueTaskSource<bool>.GetResult(short token) => _source.GetResult(token);

        ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => _source.GetStatus(token);

        void IValueTaskSource<bool>.OnCompleted(
            Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
            _source.OnCompleted(continuation, state, token, flags);

        private void Cancel()
        {
            stream.Abort();
            bool waits;
            lock (stream._gate)
            {
                waits = stream._readerWaits;
                stream._readerWaits = false;
            }

            if (waits)
            {
                _source.SetException(new OperationCanceledException(_cancellation));
            }
        }
    }
}

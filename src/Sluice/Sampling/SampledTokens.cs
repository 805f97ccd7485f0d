using System.Runtime.InteropServices;
using Sluice.Compute;
using Sluice.Compute.Ops.Sampling;
using Sluice.Requests;

namespace Sluice.Sampling;

/// <summary>
/// What one step's sampling leaves in host memory, row by row. Prepared by the sampler when the step is launched, filled by the
/// device, read once a fence behind the step was reached, then used again by a later step.
/// </summary>
internal sealed class SampledTokens : IDisposable
{
    private const string NotFinite = "The model computed logits that are not finite numbers for this request.";
    private const string NothingPossible = "No token is left to choose from: the request's own masks forbid every one.";

    private readonly IBackend _backend;
    private readonly HostBuffer _tokenIds; // int32 [maxRows]
    private readonly int[] _logprobRows; // by row: row of the logprobs, or -1
    private readonly int[] _topCounts; // by row
    private readonly List<(int Row, int Slot)> _outputRows = [];
    private HostBuffer _logprobs; // ids [rows, columns], logprobs [rows, columns], ranks [rows]
    private int _logprobRowCount;
    /// <param name="backend">Where sampling runs.</param>
    /// <param name="maxRows">Most rows of a step.</param>
    /// <param name="reservedLogprobs">Logprobs a row for which memory is taken at once; more make it grow.</param>
    public SampledTokens(IBackend backend, int maxRows, int reservedLogprobs)
    {
        _backend = backend;
        _tokenIds = backend.AllocateHost((long)maxRows * sizeof(int));
        _logprobs = backend.AllocateHost(LogprobBytes(maxRows, reservedLogprobs));
        _logprobRows = new int[maxRows];
        _topCounts = new int[maxRows];
    }

    /// <summary>Rows of the step.</summary>
    public int Count { get; private set; }

    /// <summary>Logprobs a row that the device computes: the chosen token's, and those of the most likely ones.</summary>
    public int Columns { get; private set; }

    /// <summary>The rows whose sequences must know their ids before the next step is launched, with the slots of these.</summary>
    public ReadOnlySpan<(int Row, int Slot)> OutputRows => CollectionsMarshal.AsSpan(_outputRows);

    /// <summary>The chosen token; meaningless where <see cref="Error"/> says something.</summary>
    public int TokenId(int row) => Math.Max(0, RawId(row));

    /// <summary>Why a row has no token; a matter of that request alone.</summary>
    public string? Error(int row) => RawId(row) switch
    {
        >= 0 => null,
        SamplingRow.NotFinite => NotFinite,
        _ => NothingPossible,
    };

    /// <summary>Logprobs of a row whose request asked for them.</summary>
    public PositionLogprobs? Logprobs(int row)
    {
        if (_logprobRows[row] is var index && (index < 0 || RawId(row) < 0))
        {
            return null;
        }

        long first = (long)index * Columns;
        return LogprobsReader.Record(
            _logprobs.Span<int>(first * sizeof(int), Columns),
            _logprobs.Span<float>(LogprobOffset + (first * sizeof(float)), Columns),
            _logprobs.Span<int>(RankOffset + ((long)index * sizeof(int)), 1)[0],
            _topCounts[row]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _tokenIds.Dispose();
        _logprobs.Dispose();
    }

    /// <summary>Begins a step.</summary>
    internal void Reset(int rowCount, int logprobRowCount, int columns)
    {
        Count = rowCount;
        Columns = columns;
        _logprobRowCount = logprobRowCount;
        LogprobRowsTaken = 0;
        _outputRows.Clear();
        Array.Fill(_logprobRows, -1, 0, rowCount);
        if (LogprobBytes(logprobRowCount, columns) is var bytes && bytes > _logprobs.SizeBytes)
        {
            _logprobs.Dispose();
            _logprobs = _backend.AllocateHost(bytes * 2);
        }
    }

    /// <summary>The sequences know their ids.</summary>
    internal void ClearOutputRows() => _outputRows.Clear();

    /// <summary>A row's sequence must know its id.</summary>
    internal void AddOutputRow(int row, int slot) => _outputRows.Add((row, slot));

    /// <summary>Rows of the logprobs that belong to a row of the step already.</summary>
    internal int LogprobRowsTaken { get; private set; }

    /// <summary>The next row of the logprobs belongs to a row of the step.</summary>
    internal void AddLogprobs(int row, int topCount)
    {
        _logprobRows[row] = LogprobRowsTaken++;
        _topCounts[row] = topCount;
    }

    /// <summary>Lets the device copy chosen ids here.</summary>
    internal void DownloadIds(Tensor tokenIds, int firstRow) =>
        _backend.DownloadAsync(tokenIds, _tokenIds, (long)firstRow * sizeof(int));

    /// <summary>Lets the device copy logprobs here.</summary>
    internal void DownloadLogprobs(Tensor ids, Tensor logprobs, Tensor ranks, int firstRow)
    {
        long first = (long)firstRow * Columns * sizeof(int);
        _backend.DownloadAsync(ids, _logprobs, first);
        _backend.DownloadAsync(logprobs, _logprobs, LogprobOffset + first);
        _backend.DownloadAsync(ranks, _logprobs, RankOffset + ((long)firstRow * sizeof(int)));
    }

    private long LogprobOffset => (long)_logprobRowCount * Columns * sizeof(int);

    private long RankOffset => 2 * LogprobOffset;

    private static long LogprobBytes(int rows, int columns) => (long)rows * ((2L * columns) + 1) * sizeof(int);

    private int RawId(int row) => _tokenIds.Span<int>((long)row * sizeof(int), 1)[0];
}

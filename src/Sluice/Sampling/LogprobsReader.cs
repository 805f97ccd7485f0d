using Sluice.Compute;
using Sluice.Requests;

namespace Sluice.Sampling;

/// <summary>
/// Logprobs on the device, in tensors of fixed size, and the records that a reader gets. Those of sampled tokens are copied to the host
/// behind the step, those of prompt tokens are waited for.
/// </summary>
/// <param name="backend">The device.</param>
/// <param name="limits">Most rows and logprobs at a time.</param>
internal sealed class LogprobsReader(IBackend backend, SamplerLimits limits)
{
    private readonly Tensor _ids = backend.Allocate(1, limits.LogprobElements, DType.Int32); // room for [rows, columns]
    private readonly Tensor _logprobs = backend.Allocate(1, limits.LogprobElements, DType.Float32); // room for [rows, columns]
    private readonly Tensor _ranks = backend.Allocate(1, limits.MaxRows, DType.Int32);

    // Requests with logprobs of a prompt are rare, so that their first one makes these.
    private readonly Lazy<(int[] Ids, float[] Logprobs, int[] Ranks)> _host =
        new(() => (new int[limits.LogprobElements], new float[limits.LogprobElements], new int[limits.MaxRows]));

    private int _columns;

    /// <summary>Rows of so many logprobs that can be computed at once.</summary>
    public int RowsOf(int columns) => Math.Min(limits.LogprobElements / columns, limits.MaxRows);

    /// <summary>Enqueues rows of logprobs. The tensors are used again by the next call.</summary>
    /// <param name="logits">[rows, vocabulary], as the model gave them.</param>
    /// <param name="tokenIds">int32 [1, rows]: the token of each row.</param>
    /// <param name="columns">Logprobs a row: the token's, and those of the most likely ones.</param>
    public (Tensor Ids, Tensor Logprobs, Tensor Ranks) Compute(Tensor logits, Tensor tokenIds, int columns)
    {
        Tensor ids = new(_ids.Address, DType.Int32, logits.Rows, columns);
        Tensor logprobs = new(_logprobs.Address, DType.Float32, logits.Rows, columns);
        Tensor ranks = _ranks.SliceColumns(0, logits.Rows);
        backend.TopLogprobs(ids, logprobs, ranks, logits, tokenIds);
        return (ids, logprobs, ranks);
    }

    /// <summary>Computes rows of logprobs and copies them to the host.</summary>
    /// <param name="logits">[rows, vocabulary], as the model gave them.</param>
    /// <param name="tokenIds">int32 [1, rows]: the token of each row.</param>
    /// <param name="topCount">Most likely tokens wanted too.</param>
    public void Read(Tensor logits, Tensor tokenIds, int topCount)
    {
        int rows = logits.Rows;
        _columns = 1 + topCount;
        (Tensor ids, Tensor logprobs, Tensor ranks) = Compute(logits, tokenIds, _columns);
        backend.Download(ids, _host.Value.Ids.AsSpan(0, rows * _columns));
        backend.Download(logprobs, _host.Value.Logprobs.AsSpan(0, rows * _columns));
        backend.Download(ranks, _host.Value.Ranks.AsSpan(0, rows));
    }

    /// <summary>The record of one row that was read; none when its logits were not finite.</summary>
    public PositionLogprobs? Position(int row, int topCount) => Record(
        _host.Value.Ids.AsSpan(row * _columns, _columns),
        _host.Value.Logprobs.AsSpan(row * _columns, _columns),
        _host.Value.Ranks[row],
        topCount);

    /// <summary>The record of a row of <see cref="IBackend.TopLogprobs"/>; none when its logits were not finite.</summary>
    /// <param name="ids">The token of the row, then the most likely ones.</param>
    /// <param name="logprobs">Theirs.</param>
    /// <param name="rank">Rank of the token of the row.</param>
    /// <param name="topCount">Most likely tokens wanted; at most as many as there are.</param>
    public static PositionLogprobs? Record(ReadOnlySpan<int> ids, ReadOnlySpan<float> logprobs, int rank, int topCount)
    {
        if (float.IsNaN(logprobs[0]))
        {
            return null;
        }

        TokenLogprob[] top = topCount == 0 ? [] : new TokenLogprob[topCount];
        for (int i = 0; i < top.Length; i++)
        {
            top[i] = new TokenLogprob(ids[i + 1], logprobs[i + 1], i + 1);
        }

        return new PositionLogprobs(new TokenLogprob(ids[0], logprobs[0], rank), top);
    }
}

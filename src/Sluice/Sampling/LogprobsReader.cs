using Sluice.Compute;
using Sluice.Requests;

namespace Sluice.Sampling;

/// <summary>Computes logprobs of prompt tokens on the device, waits for them, and makes the records that a reader gets.</summary>
internal sealed class LogprobsReader(IBackend backend)
{
    private Tensor _ids;
    private Tensor _logprobs;
    private Tensor _ranks;
    private int[] _hostIds = [];
    private float[] _hostLogprobs = [];
    private int[] _hostRanks = [];
    private int _columns;

    /// <summary>Computes rows of logprobs and copies them to the host.</summary>
    /// <param name="logits">[rows, vocabulary], as the model gave them.</param>
    /// <param name="tokenIds">int32 [1, rows]: the token of each row.</param>
    /// <param name="topCount">Most likely tokens wanted too.</param>
    public void Read(Tensor logits, Tensor tokenIds, int topCount)
    {
        int rows = logits.Rows;
        _columns = 1 + topCount;
        Ensure(rows, rows * _columns);
        Tensor ids = new(_ids.Address, DType.Int32, rows, _columns);
        Tensor logprobs = new(_logprobs.Address, DType.Float32, rows, _columns);
        Tensor ranks = _ranks.SliceColumns(0, rows);
        backend.TopLogprobs(ids, logprobs, ranks, logits, tokenIds);
        backend.Download(ids, _hostIds.AsSpan(0, rows * _columns));
        backend.Download(logprobs, _hostLogprobs.AsSpan(0, rows * _columns));
        backend.Download(ranks, _hostRanks.AsSpan(0, rows));
    }

    /// <summary>The record of one row; none when its logits were not finite.</summary>
    public PositionLogprobs? Position(int row, int topCount) => Record(
        _hostIds.AsSpan(row * _columns, _columns), _hostLogprobs.AsSpan(row * _columns, _columns), _hostRanks[row], topCount);

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

    private void Ensure(int rows, int elements)
    {
        if (elements > _ids.Columns)
        {
            Free(_ids);
            Free(_logprobs);
            _ids = backend.Allocate(1, elements, DType.Int32);
            _logprobs = backend.Allocate(1, elements, DType.Float32);
            _hostIds = new int[elements];
            _hostLogprobs = new float[elements];
        }

        if (rows > _ranks.Columns)
        {
            Free(_ranks);
            _ranks = backend.Allocate(1, rows, DType.Int32);
            _hostRanks = new int[rows];
        }
    }

    private void Free(Tensor tensor)
    {
        if (tensor.Columns > 0)
        {
            backend.Free(tensor);
        }
    }
}

using Sluice.Compute;
using Sluice.Compute.Ops.Sampling;
using Sluice.Requests;

namespace Sluice.Sampling;

/// <summary>
/// Turns logits into tokens. The order of operations is vLLM's: logprobs are those of the logits as the model gave them; then allowed ids,
/// bad words, min_tokens, logit_bias and penalties; then the most likely token, or temperature, min-p, top-k, top-p and a draw.
/// A token depends on its own row, its parameters, its seed and its index in the completion, and on nothing else in the batch.
/// Owned and used by the thread that owns the backend.
/// </summary>
internal sealed class Sampler
{
    private const string NotFinite = "The model computed logits that are not finite numbers for this request.";
    private const string NothingPossible = "No token is left to choose from: the request's own masks forbid every one.";

    // Prompt positions whose logprobs are computed at once, so that asking for the whole vocabulary needs little memory.
    private const int MaxScoredElements = 1 << 22;

    private readonly IBackend _backend;
    private readonly int _vocabularySize;
    private readonly SequenceSampling[] _sequences;
    private readonly LogitsPipeline _pipeline;
    private readonly LogprobsReader _logprobs;
    private readonly DeviceRows<SamplingRow> _rows;
    private readonly DeviceRows<int> _rawIndexes;
    private readonly List<int> _rawRows = [];
    private Tensor _tokenIds;
    private Tensor _rawLogits;

    /// <param name="backend">Where logits are.</param>
    /// <param name="vocabularySize">Columns of the logits.</param>
    /// <param name="maxSlots">Sequences at a time.</param>
    /// <param name="eosTokenIds">End-of-sequence tokens, which min_tokens forbids.</param>
    public Sampler(IBackend backend, int vocabularySize, int maxSlots, IReadOnlyList<int> eosTokenIds)
    {
        _backend = backend;
        _vocabularySize = vocabularySize;
        _sequences = new SequenceSampling[maxSlots];
        for (int slot = 0; slot < maxSlots; slot++)
        {
            _sequences[slot] = new SequenceSampling();
        }

        _pipeline = new LogitsPipeline(backend, vocabularySize, maxSlots, eosTokenIds);
        _logprobs = new LogprobsReader(backend);
        _rows = new DeviceRows<SamplingRow>(backend, SamplingRow.Words);
        _rawIndexes = new DeviceRows<int>(backend, 1);
    }

    /// <summary>A sequence takes a free slot.</summary>
    /// <param name="slot">0 to the number of slots - 1.</param>
    /// <param name="sampling">Valid parameters.</param>
    /// <param name="seed">See <see cref="RequestSeed"/>.</param>
    /// <param name="promptIds">The prompt.</param>
    /// <param name="outputIds">What a sequence that resumes has generated before.</param>
    public void AddSequence(
        int slot, SamplingParams sampling, long seed, ReadOnlySpan<int> promptIds, ReadOnlySpan<int> outputIds)
    {
        SequenceSampling sequence = _sequences[slot];
        sequence.Start(sampling, seed, outputIds);
        _pipeline.Add(slot, sequence, promptIds, outputIds);
    }

    /// <summary>The slot becomes free.</summary>
    public void RemoveSequence(int slot) => _sequences[slot].Stop();

    /// <summary>Chooses the next token of each row's sequence.</summary>
    /// <param name="logits">float32 [rows, vocabulary]; overwritten.</param>
    /// <param name="slots">The slot of each row, each at most once.</param>
    /// <param name="lastSampled">int32 [1, slots] on the device: a row's token goes to its slot.</param>
    /// <param name="result">Filled row by row.</param>
    public void Sample(Tensor logits, ReadOnlySpan<int> slots, Tensor lastSampled, SampledTokens result)
    {
        result.Reset(slots.Length);
        if (slots.IsEmpty)
        {
            return;
        }

        int topCount = SaveRawLogits(logits, slots);
        foreach (int slot in slots)
        {
            if (_sequences[slot].AdjustsLogits)
            {
                _pipeline.Apply(logits, slots, _sequences);
                break;
            }
        }

        Ensure(ref _tokenIds, 1, slots.Length, DType.Int32);
        Tensor tokenIds = _tokenIds.SliceColumns(0, slots.Length);
        _backend.SampleTokens(tokenIds, logits, UploadRows(slots), lastSampled, _pipeline.Counts);
        _backend.Download(tokenIds, result.TokenIds.AsSpan(0, slots.Length));
        for (int row = 0; row < slots.Length; row++)
        {
            int token = result.TokenIds[row];
            if (token >= 0)
            {
                _sequences[slots[row]].Append(token);
            }
            else
            {
                result.TokenIds[row] = 0;
                result.Errors[row] = token == SamplingRow.NotFinite ? NotFinite : NothingPossible;
            }
        }

        ReadLogprobs(slots, topCount, result);
    }

    /// <summary>Logprobs of prompt tokens.</summary>
    /// <param name="logits">float32 [rows, vocabulary].</param>
    /// <param name="targetIds">The token that follows each row's position.</param>
    /// <param name="topCount">Most likely tokens wanted too; -1 for the whole vocabulary.</param>
    /// <param name="result">One for each row; none where the logits were not finite.</param>
    public void ScorePrompt(Tensor logits, ReadOnlySpan<int> targetIds, int topCount, Span<PositionLogprobs?> result)
    {
        int top = topCount < 0 ? _vocabularySize : topCount;
        int chunk = Math.Max(1, MaxScoredElements / (1 + top));
        for (int first = 0; first < targetIds.Length; first += chunk)
        {
            int count = Math.Min(chunk, targetIds.Length - first);
            Ensure(ref _tokenIds, 1, count, DType.Int32);
            Tensor tokenIds = _tokenIds.SliceColumns(0, count);
            _backend.Upload(tokenIds, targetIds.Slice(first, count));
            _logprobs.Read(logits.SliceRows(first, count), tokenIds, top);
            for (int row = 0; row < count; row++)
            {
                result[first + row] = _logprobs.Position(row, top);
            }
        }
    }

    private Tensor UploadRows(ReadOnlySpan<int> slots)
    {
        _rows.Clear();
        foreach (int slot in slots)
        {
            SequenceSampling sequence = _sequences[slot];
            SamplingParams sampling = sequence.Params!;
            _rows.Add(new SamplingRow(
                sampling.IsGreedy ? 0 : Math.Max(sampling.Temperature, SamplingRules.MinTemperature),
                sampling.MinP,
                Math.Max(sampling.TopK, 0),
                sampling.TopP,
                (uint)sequence.Seed,
                (uint)(sequence.Seed >> 32),
                (uint)sequence.OutputCount,
                slot,
                sequence.HasPenalties ? slot : -1));
        }

        return _rows.Upload();
    }

    /// <summary>Copies the rows whose requests want logprobs before anything changes them.</summary>
    /// <returns>Most top logprobs that a row wants.</returns>
    private int SaveRawLogits(Tensor logits, ReadOnlySpan<int> slots)
    {
        _rawRows.Clear();
        _rawIndexes.Clear();
        int topCount = 0;
        for (int row = 0; row < slots.Length; row++)
        {
            if (_sequences[slots[row]].Params!.Logprobs is int wanted)
            {
                _rawRows.Add(row);
                _rawIndexes.Add(row);
                topCount = Math.Max(topCount, TopCount(wanted));
            }
        }

        if (_rawRows.Count > 0)
        {
            Ensure(ref _rawLogits, _rawRows.Count, _vocabularySize, DType.Float32);
            Tensor indexes = _rawIndexes.Upload();
            _backend.GatherRows(
                _rawLogits.SliceRows(0, _rawRows.Count), logits, indexes with { Rows = 1, Columns = indexes.Rows, RowStride = indexes.Rows });
        }

        return topCount;
    }

    private void ReadLogprobs(ReadOnlySpan<int> slots, int topCount, SampledTokens result)
    {
        if (_rawRows.Count == 0)
        {
            return;
        }

        _rawIndexes.Clear();
        foreach (int row in _rawRows)
        {
            _rawIndexes.Add(result.TokenIds[row]);
        }

        Tensor tokenIds = _rawIndexes.Upload();
        tokenIds = tokenIds with { Rows = 1, Columns = tokenIds.Rows, RowStride = tokenIds.Rows };
        _logprobs.Read(_rawLogits.SliceRows(0, _rawRows.Count), tokenIds, topCount);
        for (int i = 0; i < _rawRows.Count; i++)
        {
            int row = _rawRows[i];
            if (result.Errors[row] is null)
            {
                result.Logprobs[row] = _logprobs.Position(i, TopCount(_sequences[slots[row]].Params!.Logprobs!.Value));
            }
        }
    }

    private int TopCount(int wanted) => wanted < 0 ? _vocabularySize : wanted;

    /// <summary>A tensor with at least so much room; grows by doubling and never shrinks.</summary>
    private void Ensure(ref Tensor tensor, int rows, int columns, DType type)
    {
        if (tensor.Rows >= rows && tensor.Columns >= columns)
        {
            return;
        }

        int newRows = rows == 1 ? 1 : Math.Max(rows, tensor.Rows * 2);
        int newColumns = rows == 1 ? Math.Max(columns, tensor.Columns * 2) : columns;
        if (tensor.Rows > 0)
        {
            _backend.Free(tensor);
        }

        tensor = _backend.Allocate(newRows, newColumns, type);
    }
}

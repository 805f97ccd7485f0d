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
    // What vLLM allows a request by default; more make the memory grow.
    private const int ReservedTopLogprobs = 20;

    // Room for logits that are kept while others are changed: more rows with logprobs are sampled part by part.
    private const long RawLogitsBytes = 64L << 20;

    // Prompt positions whose logprobs are computed at once, so that asking for the whole vocabulary needs little memory.
    private const int MaxScoredElements = 1 << 22;

    private readonly IBackend _backend;
    private readonly int _vocabularySize;
    private readonly SequenceSampling[] _sequences;
    private readonly LogitsPipeline _pipeline;
    private readonly LogprobsReader _logprobs;
    private readonly DeviceRows<SamplingRow> _rows;
    private readonly DeviceRows<int> _rawIndexes;
    private Tensor _tokenIds; // int32 [1, rows]
    private Tensor _rawTokenIds; // int32 [1, raw rows]
    private Tensor _rawLogits; // float32 [raw rows, vocabulary]
    private Tensor _topIds; // int32, room for [raw rows, columns]
    private Tensor _topLogprobs; // float32, room for [raw rows, columns]
    private Tensor _ranks; // int32 [1, raw rows]

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

    /// <summary>Bytes that <see cref="Reserve"/> takes, but for less than a megabyte.</summary>
    /// <param name="vocabularySize">Columns of the logits.</param>
    /// <param name="maxSlots">Sequences at a time.</param>
    /// <param name="logitRows">Most rows of logits at a time.</param>
    public static long ReservedBytes(int vocabularySize, int maxSlots, int logitRows) =>
        LogitsPipeline.ReservedBytes(vocabularySize, maxSlots) + ((long)RawRows(vocabularySize, logitRows) * vocabularySize * sizeof(float));

    /// <summary>
    /// Takes all memory now that requests could need, for a device where none is taken later. Only more than
    /// <see cref="ReservedTopLogprobs"/> logprobs a token, or very many biases, still make it grow.
    /// </summary>
    /// <param name="logitRows">Most rows of logits at a time.</param>
    public void Reserve(int logitRows)
    {
        _pipeline.Reserve();
        _rows.Reserve(logitRows);
        _rawIndexes.Reserve(logitRows);
        Ensure(ref _tokenIds, 1, logitRows, DType.Int32);
        int rawRows = RawRows(_vocabularySize, logitRows);
        EnsureRaw(rawRows, 1 + ReservedTopLogprobs);
        Ensure(ref _rawLogits, rawRows, _vocabularySize, DType.Float32);
    }

    /// <summary>How many of some rows can be sampled in one go.</summary>
    public int PartOf(ReadOnlySpan<int> slots)
    {
        int left = RawRows(_vocabularySize, int.MaxValue);
        for (int row = 0; row < slots.Length; row++)
        {
            if (_sequences[slots[row]].Params!.Logprobs is not null && left-- == 0)
            {
                return row;
            }
        }

        return slots.Length;
    }

    /// <summary>Host memory for what steps sample; each step in flight needs its own.</summary>
    public SampledTokens CreateResult() => new(_backend, _sequences.Length, 1 + ReservedTopLogprobs);

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

    /// <summary>Prepares the result of a step.</summary>
    /// <param name="slots">The slot of each row that the step samples, each at most once.</param>
    /// <param name="result">Empty from now on; what the device copied to it before was read.</param>
    public void Begin(ReadOnlySpan<int> slots, SampledTokens result)
    {
        int logprobRows = 0;
        int topCount = 0;
        foreach (int slot in slots)
        {
            if (_sequences[slot].Params?.Logprobs is int wanted)
            {
                logprobRows++;
                topCount = Math.Max(topCount, TopCount(wanted));
            }
        }

        result.Reset(slots.Length, logprobRows, 1 + topCount);
    }

    /// <summary>
    /// Enqueues the choice of the next token of some rows' sequences, and the copies of what came of it to the host. Waits for
    /// nothing: the state of the sequences moves on at once, by what is known without the ids.
    /// </summary>
    /// <param name="logits">float32 [rows, vocabulary]; overwritten.</param>
    /// <param name="slots">The slot of each row, a part of those of <see cref="Begin"/>.</param>
    /// <param name="firstRow">Row of the step that the first of these is; parts come in rising order.</param>
    /// <param name="lastSampled">int32 [1, slots] on the device: a row's token goes to its slot.</param>
    /// <param name="result">Of <see cref="Begin"/>.</param>
    /// <param name="staging">Of the step.</param>
    public void Sample(
        Tensor logits, ReadOnlySpan<int> slots, int firstRow, Tensor lastSampled, SampledTokens result, UploadStaging staging)
    {
        if (slots.IsEmpty)
        {
            return;
        }

        bool adjusts = false;
        foreach (int slot in slots)
        {
            adjusts |= _sequences[slot].AdjustsLogits;
        }

        Tensor raw = RawLogits(logits, slots, firstRow, keep: adjusts, result, staging, out Tensor indexes, out int firstRaw);
        if (adjusts)
        {
            _pipeline.Apply(logits, slots, _sequences, staging);
        }

        Ensure(ref _tokenIds, 1, slots.Length, DType.Int32);
        Tensor tokenIds = _tokenIds.SliceColumns(0, slots.Length);
        _backend.SampleTokens(tokenIds, logits, UploadRows(slots, staging), lastSampled, _pipeline.Counts);
        result.DownloadIds(tokenIds, firstRow);
        if (raw.Rows > 0)
        {
            ComputeLogprobs(raw, tokenIds, indexes, firstRaw, result);
        }

        for (int row = 0; row < slots.Length; row++)
        {
            SequenceSampling sequence = _sequences[slots[row]];
            sequence.Advance();
            if (sequence.KeepsOutput)
            {
                result.AddOutputRow(firstRow + row, slots[row]);
            }
        }
    }

    /// <summary>
    /// Tells sequences the ids that a step sampled, where these decide what may follow. To be called before the next step changes
    /// or samples anything, if <see cref="SampledTokens.OutputRows"/> has any.
    /// </summary>
    /// <param name="result">What the device has copied completely.</param>
    public void NoteOutputs(SampledTokens result)
    {
        foreach ((int row, int slot) in result.OutputRows)
        {
            _sequences[slot].Note(result.TokenId(row));
        }

        result.ClearOutputRows();
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

    private Tensor UploadRows(ReadOnlySpan<int> slots, UploadStaging staging)
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

        return _rows.Upload(staging);
    }

    /// <summary>The rows whose requests want logprobs, as the model gave them: copied unless all are wanted and nothing changes them.</summary>
    /// <param name="logits">[rows, vocabulary].</param>
    /// <param name="slots">The slot of each row.</param>
    /// <param name="firstRow">Row of the step that the first of these is.</param>
    /// <param name="keep">The logits will be changed.</param>
    /// <param name="result">Told which rows these are.</param>
    /// <param name="staging">Of the step.</param>
    /// <param name="indexes">int32 [1, raw rows]: their rows in the logits; empty when they are not copied.</param>
    /// <param name="firstRaw">Logprob row of the step that the first of these is.</param>
    private Tensor RawLogits(
        Tensor logits, ReadOnlySpan<int> slots, int firstRow, bool keep, SampledTokens result, UploadStaging staging, out Tensor indexes,
        out int firstRaw)
    {
        firstRaw = result.LogprobRowsTaken;
        _rawIndexes.Clear();
        for (int row = 0; row < slots.Length; row++)
        {
            if (_sequences[slots[row]].Params!.Logprobs is int wanted)
            {
                _rawIndexes.Add(row);
                result.AddLogprobs(firstRow + row, TopCount(wanted));
            }
        }

        indexes = default;
        int count = _rawIndexes.Count;
        if (count == 0 || (count == slots.Length && !keep))
        {
            return logits.SliceRows(0, count);
        }

        Tensor column = _rawIndexes.Upload(staging);
        indexes = column with { Rows = 1, Columns = count, RowStride = count };
        Ensure(ref _rawLogits, count, _vocabularySize, DType.Float32);
        Tensor raw = _rawLogits.SliceRows(0, count);
        _backend.GatherRows(raw, logits, indexes);
        return raw;
    }

    private void ComputeLogprobs(Tensor raw, Tensor tokenIds, Tensor indexes, int firstRaw, SampledTokens result)
    {
        int columns = result.Columns;
        EnsureRaw(raw.Rows, columns);
        if (indexes.Columns > 0)
        {
            Tensor gathered = _rawTokenIds.SliceColumns(0, raw.Rows);
            _backend.GatherRows(
                gathered with { Rows = raw.Rows, Columns = 1, RowStride = 1 },
                tokenIds with { Rows = tokenIds.Columns, Columns = 1, RowStride = 1 },
                indexes);
            tokenIds = gathered;
        }

        Tensor ids = new(_topIds.Address, DType.Int32, raw.Rows, columns);
        Tensor logprobs = new(_topLogprobs.Address, DType.Float32, raw.Rows, columns);
        Tensor ranks = _ranks.SliceColumns(0, raw.Rows);
        _backend.TopLogprobs(ids, logprobs, ranks, raw, tokenIds);
        result.DownloadLogprobs(ids, logprobs, ranks, firstRaw);
    }

    private static int RawRows(int vocabularySize, int logitRows) =>
        (int)Math.Clamp(RawLogitsBytes / (sizeof(float) * (long)vocabularySize), 1, logitRows);

    private int TopCount(int wanted) => wanted < 0 ? _vocabularySize : wanted;

    private void EnsureRaw(int rows, int columns)
    {
        Ensure(ref _rawTokenIds, 1, rows, DType.Int32);
        Ensure(ref _ranks, 1, rows, DType.Int32);
        Ensure(ref _topIds, 1, rows * columns, DType.Int32);
        Ensure(ref _topLogprobs, 1, rows * columns, DType.Float32);
    }

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

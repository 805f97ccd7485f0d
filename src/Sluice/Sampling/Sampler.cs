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
    private readonly IBackend _backend;
    private readonly SamplerLimits _limits;
    private readonly SequenceSampling[] _sequences;
    private readonly LogitsPipeline _pipeline;
    private readonly LogprobsReader _logprobs;
    private readonly DeviceRows<SamplingRow> _rows;
    private readonly DeviceRows<int> _rawIndexes;
    private readonly Tensor _tokenIds; // int32 [1, rows]
    private readonly Tensor _rawTokenIds; // int32 [1, raw rows]
    private readonly Tensor _rawLogits; // float32 [raw rows, vocabulary]

    /// <summary>Takes all memory of the device that sampling needs.</summary>
    /// <param name="backend">Where logits are.</param>
    /// <param name="limits">The most that is asked for at a time.</param>
    /// <param name="eosTokenIds">End-of-sequence tokens, which min_tokens forbids.</param>
    public Sampler(IBackend backend, SamplerLimits limits, IReadOnlyList<int> eosTokenIds)
    {
        _backend = backend;
        _limits = limits;
        _sequences = new SequenceSampling[limits.MaxSlots];
        for (int slot = 0; slot < _sequences.Length; slot++)
        {
            _sequences[slot] = new SequenceSampling();
        }

        _pipeline = new LogitsPipeline(backend, limits, eosTokenIds);
        _logprobs = new LogprobsReader(backend, limits);
        _rows = new DeviceRows<SamplingRow>(backend, SamplingRow.Words, limits.MaxRows);
        _rawIndexes = new DeviceRows<int>(backend, 1, limits.MaxRows);
        _tokenIds = backend.Allocate(1, limits.MaxRows, DType.Int32);
        _rawTokenIds = backend.Allocate(1, limits.RawRows, DType.Int32);
        _rawLogits = backend.Allocate(limits.RawRows, limits.VocabularySize, DType.Float32);
    }

    /// <summary>How many of some rows of a step can be sampled in one go.</summary>
    /// <param name="slots">The slot of each row.</param>
    /// <param name="result">Of <see cref="Begin"/>.</param>
    public int PartOf(ReadOnlySpan<int> slots, SampledTokens result)
    {
        int left = Math.Min(_limits.RawRows, _logprobs.RowsOf(result.Columns));
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
    public SampledTokens CreateResult() =>
        new(_backend, _limits.MaxSlots, Math.Min(_limits.MaxColumns, _limits.LogprobElements / _limits.MaxRows));

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
        int top = TopCount(topCount);
        int chunk = _logprobs.RowsOf(1 + top);
        for (int first = 0; first < targetIds.Length; first += chunk)
        {
            int count = Math.Min(chunk, targetIds.Length - first);
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
        Tensor raw = _rawLogits.SliceRows(0, count);
        _backend.GatherRows(raw, logits, indexes);
        return raw;
    }

    private void ComputeLogprobs(Tensor raw, Tensor tokenIds, Tensor indexes, int firstRaw, SampledTokens result)
    {
        if (indexes.Columns > 0)
        {
            Tensor gathered = _rawTokenIds.SliceColumns(0, raw.Rows);
            _backend.GatherRows(
                gathered with { Rows = raw.Rows, Columns = 1, RowStride = 1 },
                tokenIds with { Rows = tokenIds.Columns, Columns = 1, RowStride = 1 },
                indexes);
            tokenIds = gathered;
        }

        (Tensor ids, Tensor logprobs, Tensor ranks) = _logprobs.Compute(raw, tokenIds, result.Columns);
        result.DownloadLogprobs(ids, logprobs, ranks, firstRaw);
    }

    private int TopCount(int wanted) => wanted < 0 ? _limits.VocabularySize : wanted;
}

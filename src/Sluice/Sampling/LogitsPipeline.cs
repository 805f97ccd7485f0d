using Sluice.Compute;
using Sluice.Compute.Ops.Sampling;
using Sluice.Requests;

namespace Sluice.Sampling;

/// <summary>
/// What happens to logits before a token is chosen: allowed ids, bad words, min_tokens, logit_bias, penalties. Keeps the masks and token
/// counts of the sequences on the device, in tensors of fixed size.
/// </summary>
/// <param name="backend">The device.</param>
/// <param name="limits">Most sequences and rows at a time.</param>
/// <param name="eosTokenIds">End-of-sequence tokens, which min_tokens forbids.</param>
internal sealed class LogitsPipeline(IBackend backend, SamplerLimits limits, IReadOnlyList<int> eosTokenIds)
{
    private readonly int[] _scratch = new int[limits.VocabularySize];
    private readonly DeviceRows<LogitRow> _rows = new(backend, LogitRow.Words, limits.MaxRows);
    private readonly DeviceRows<LogitEdit> _edits = new(backend, LogitEdit.Words, limits.EditCapacity);
    private readonly Tensor _masks = backend.Allocate(limits.MaxSlots, limits.MaskWords, DType.Int32);

    /// <summary>Token counts by slot: int32 [slots, vocabulary].</summary>
    public Tensor Counts { get; } = backend.Allocate(limits.MaxSlots, limits.VocabularySize, DType.Int32);

    /// <summary>Prepares the slot of a sequence.</summary>
    public void Add(int slot, SequenceSampling sequence, ReadOnlySpan<int> promptIds, ReadOnlySpan<int> outputIds)
    {
        if (sequence.HasMask)
        {
            backend.Upload<int>(_masks.SliceRows(slot, 1), BuildMask(sequence.Params!));
        }

        if (sequence.HasPenalties)
        {
            backend.Upload<int>(Counts.SliceRows(slot, 1), Count(promptIds, outputIds));
        }
    }

    /// <summary>Changes the rows of the sequences that want it: all at once, or part by part when their edits are very many.</summary>
    /// <param name="logits">[rows, vocabulary].</param>
    /// <param name="slots">The slot of each row.</param>
    /// <param name="sequences">The sequences by slot.</param>
    /// <param name="staging">Of the step.</param>
    public void Apply(Tensor logits, ReadOnlySpan<int> slots, ReadOnlySpan<SequenceSampling> sequences, UploadStaging staging)
    {
        _rows.Clear();
        _edits.Clear();
        int first = 0;
        for (int row = 0; row < slots.Length; row++)
        {
            SequenceSampling sequence = sequences[slots[row]];
            SamplingParams sampling = sequence.Params!;
            if (MostEdits(sequence) > _edits.Room)
            {
                Adjust(logits.SliceRows(first, row - first), staging);
                first = row;
            }

            int start = _edits.Count;
            AddEdits(sequence);
            _rows.Add(new LogitRow(
                sequence.HasMask ? slots[row] : -1,
                sequence.HasPenalties ? slots[row] : -1,
                start,
                _edits.Count - start,
                sampling.RepetitionPenalty,
                sampling.FrequencyPenalty,
                sampling.PresencePenalty));
        }

        Adjust(logits.SliceRows(first, slots.Length - first), staging);
    }

    private void Adjust(Tensor logits, UploadStaging staging)
    {
        backend.AdjustLogits(logits, _rows.Upload(staging), _masks, _edits.Upload(staging), Counts);
        _rows.Clear();
        _edits.Clear();
    }

    private int MostEdits(SequenceSampling sequence) =>
        sequence.Params!.BadWords.Count + eosTokenIds.Count + sequence.Params.StopTokenIds.Count + sequence.Biases.Count;

    private void AddEdits(SequenceSampling sequence)
    {
        SamplingParams sampling = sequence.Params!;
        if (sequence.KeepsOutput)
        {
            AddBadWords(sampling, sequence.Output);
        }

        if (sequence.OutputCount < sampling.MinTokens)
        {
            for (int i = 0; i < eosTokenIds.Count; i++)
            {
                _edits.Add(new LogitEdit(eosTokenIds[i], float.NegativeInfinity));
            }

            for (int i = 0; i < sampling.StopTokenIds.Count; i++)
            {
                _edits.Add(new LogitEdit(sampling.StopTokenIds[i], float.NegativeInfinity));
            }
        }

        foreach ((int token, float bias) in sequence.Biases)
        {
            _edits.Add(new LogitEdit(token, bias));
        }
    }

    /// <summary>Forbids the last token of each word whose other tokens were generated just now.</summary>
    private void AddBadWords(SamplingParams sampling, ReadOnlySpan<int> output)
    {
        for (int i = 0; i < sampling.BadWords.Count; i++)
        {
            int[] word = sampling.BadWords[i];
            if (word.Length > 1 && output.EndsWith(word.AsSpan(0, word.Length - 1)))
            {
                _edits.Add(new LogitEdit(word[^1], float.NegativeInfinity));
            }
        }
    }

    private ReadOnlySpan<int> BuildMask(SamplingParams sampling)
    {
        Span<int> mask = _scratch.AsSpan(0, limits.MaskWords);
        mask.Fill(sampling.AllowedTokenIds is null ? -1 : 0);
        foreach (int token in sampling.AllowedTokenIds ?? [])
        {
            mask[token >> 5] |= 1 << (token & 31);
        }

        foreach (int[] word in sampling.BadWords)
        {
            if (word.Length == 1)
            {
                mask[word[0] >> 5] &= ~(1 << (word[0] & 31));
            }
        }

        return mask;
    }

    private ReadOnlySpan<int> Count(ReadOnlySpan<int> promptIds, ReadOnlySpan<int> outputIds)
    {
        Array.Clear(_scratch);
        foreach (int token in promptIds)
        {
            _scratch[token] |= TokenCount.InPrompt;
        }

        foreach (int token in outputIds)
        {
            _scratch[token]++;
        }

        return _scratch;
    }
}

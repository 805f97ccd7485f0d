using Sluice.Compute;
using Sluice.Compute.Ops.Sampling;
using Sluice.Requests;

namespace Sluice.Sampling;

/// <summary>
/// What happens to logits before a token is chosen: allowed ids, bad words, min_tokens, logit_bias, penalties. Keeps the masks and token
/// counts of the sequences on the device; their memory is taken when the first sequence needs it.
/// </summary>
internal sealed class LogitsPipeline(IBackend backend, int vocabularySize, int maxSlots, IReadOnlyList<int> eosTokenIds)
{
    // Enough for 32 sequences with as many biases as a request may have; more make it grow.
    private const int ReservedEdits = 1 << 14;

    private readonly int[] _scratch = new int[vocabularySize];
    private readonly DeviceRows<LogitRow> _rows = new(backend, LogitRow.Words);
    private readonly DeviceRows<LogitEdit> _edits = new(backend, LogitEdit.Words);
    private Tensor _masks;

    /// <summary>Token counts by slot; empty until a sequence with penalties comes.</summary>
    public Tensor Counts { get; private set; }

    /// <summary>Takes all memory now that sequences could need: for a device where none is taken later.</summary>
    public void Reserve()
    {
        _masks = backend.Allocate(maxSlots, MaskWords, DType.Int32);
        Counts = backend.Allocate(maxSlots, vocabularySize, DType.Int32);
        _rows.Reserve(maxSlots);
        _edits.Reserve(ReservedEdits);
    }

    /// <summary>Bytes that <see cref="Reserve"/> takes, but for a few kilobytes.</summary>
    public static long ReservedBytes(int vocabularySize, int maxSlots) =>
        (long)maxSlots * sizeof(int) * (vocabularySize + ((vocabularySize + 31) / 32));

    private int MaskWords => (vocabularySize + 31) / 32;

    /// <summary>Prepares the slot of a sequence.</summary>
    public void Add(int slot, SequenceSampling sequence, ReadOnlySpan<int> promptIds, ReadOnlySpan<int> outputIds)
    {
        if (sequence.HasMask)
        {
            if (_masks.Rows == 0)
            {
                _masks = backend.Allocate(maxSlots, MaskWords, DType.Int32);
            }

            backend.Upload<int>(_masks.SliceRows(slot, 1), BuildMask(sequence.Params!));
        }

        if (sequence.HasPenalties)
        {
            if (Counts.Rows == 0)
            {
                Counts = backend.Allocate(maxSlots, vocabularySize, DType.Int32);
            }

            backend.Upload<int>(Counts.SliceRows(slot, 1), Count(promptIds, outputIds));
        }
    }

    /// <summary>Changes the rows of the sequences that want it; does nothing when none does.</summary>
    /// <param name="logits">[rows, vocabulary].</param>
    /// <param name="slots">The slot of each row.</param>
    /// <param name="sequences">The sequences by slot.</param>
    /// <param name="staging">Of the step.</param>
    public void Apply(Tensor logits, ReadOnlySpan<int> slots, ReadOnlySpan<SequenceSampling> sequences, UploadStaging staging)
    {
        _rows.Clear();
        _edits.Clear();
        foreach (int slot in slots)
        {
            SequenceSampling sequence = sequences[slot];
            SamplingParams sampling = sequence.Params!;
            int start = _edits.Count;
            AddEdits(sequence);
            _rows.Add(new LogitRow(
                sequence.HasMask ? slot : -1,
                sequence.HasPenalties ? slot : -1,
                start,
                _edits.Count - start,
                sampling.RepetitionPenalty,
                sampling.FrequencyPenalty,
                sampling.PresencePenalty));
        }

        backend.AdjustLogits(logits, _rows.Upload(staging), _masks, _edits.Upload(staging), Counts);
    }

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
        Span<int> mask = _scratch.AsSpan(0, MaskWords);
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

using Sluice.Requests;

namespace Sluice.Sampling;

/// <summary>The most that the sampler is asked for at a time; all its device memory follows from it and is taken once.</summary>
/// <param name="VocabularySize">Columns of the logits.</param>
/// <param name="MaxSlots">Sequences at a time.</param>
/// <param name="MaxRows">Rows of logits at a time.</param>
/// <param name="MaxLogprobs">Most likely tokens that a request may ask the logprobs of; -1 for the whole vocabulary.</param>
internal readonly record struct SamplerLimits(int VocabularySize, int MaxSlots, int MaxRows, int MaxLogprobs)
{
    // Logits that are kept while others are changed, and logprobs: more rows are sampled part by part.
    private const long RawLogitsBytes = 64L << 20;
    private const int UsualLogprobs = 1 << 20;

    // Beside its biases a sequence forbids end-of-sequence and stop tokens, and ends of bad words. Several sequences' worth of it.
    private const int MaxForbidden = 8 * (SamplingRules.MaxStopTokenIds + SamplingRules.MaxBadWords);

    /// <summary>Rows with logprobs at a time.</summary>
    public int RawRows => (int)Math.Clamp(RawLogitsBytes / (sizeof(float) * (long)VocabularySize), 1, MaxRows);

    /// <summary>The most logprobs of one row, the chosen token's included. At least two: the warm-up asks for one.</summary>
    public int MaxColumns => 1 + (MaxLogprobs < 0 ? VocabularySize : Math.Clamp(MaxLogprobs, 1, VocabularySize));

    /// <summary>Logprobs at a time: those of one row, or those of all rows as long as these are not very many.</summary>
    public int LogprobElements => (int)Math.Max(MaxColumns, Math.Min((long)MaxColumns * MaxRows, UsualLogprobs));

    /// <summary>Edits at a time; enough for any one row.</summary>
    public int EditCapacity => VocabularySize + MaxForbidden;

    public int MaskWords => (VocabularySize + 31) / 32;

    /// <summary>Bytes on the device.</summary>
    public long SizeBytes =>
        sizeof(int) * (
            ((long)MaxSlots * (VocabularySize + MaskWords))
            + ((long)RawRows * (VocabularySize + 3))
            + (2L * LogprobElements)
            + (2L * EditCapacity)
            + (32L * MaxRows));
}

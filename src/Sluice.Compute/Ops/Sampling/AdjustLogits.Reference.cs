namespace Sluice.Compute.Ops.Sampling;

/// <summary>One row of <see cref="IBackend.AdjustLogits"/>, written as its definition.</summary>
internal static class AdjustLogitsReference
{
    /// <inheritdoc cref="IBackend.AdjustLogits"/>
    public static void Run(Tensor logits, Tensor rows, Tensor masks, Tensor edits, Tensor counts)
    {
        for (int i = 0; i < logits.Rows; i++)
        {
            ref readonly LogitRow row = ref SamplingTensors.Element<LogitRow>(rows, i);
            Row(
                SamplingTensors.Row<float>(logits, i),
                row,
                SamplingTensors.MaskOf(row, masks),
                SamplingTensors.EditsOf(row, edits),
                SamplingTensors.CountsOf(row, counts));
        }
    }

    /// <param name="logits">[vocabulary], changed in place.</param>
    /// <param name="row">Penalties.</param>
    /// <param name="mask">Bit <c>t % 32</c> of word <c>t / 32</c>: token t stays possible. Empty for all.</param>
    /// <param name="edits">The row's edits.</param>
    /// <param name="counts">[vocabulary], <see cref="TokenCount"/>; empty for no penalties.</param>
    public static void Row(
        Span<float> logits, in LogitRow row, ReadOnlySpan<int> mask, ReadOnlySpan<LogitEdit> edits, ReadOnlySpan<int> counts)
    {
        for (int token = 0; token < logits.Length && !mask.IsEmpty; token++)
        {
            if (((mask[token >> 5] >> (token & 31)) & 1) == 0)
            {
                logits[token] = float.NegativeInfinity;
            }
        }

        foreach (LogitEdit edit in edits)
        {
            logits[edit.TokenId] += edit.Value;
        }

        for (int token = 0; token < logits.Length && !counts.IsEmpty; token++)
        {
            Penalize(ref logits[token], row, counts[token]);
        }
    }

    /// <summary>The penalties of one token; the same arithmetic on every path.</summary>
    public static void Penalize(ref float logit, in LogitRow row, int count)
    {
        if (count == 0)
        {
            return;
        }

        float value = logit > 0 ? logit / row.Repetition : logit * row.Repetition;
        int generated = count & TokenCount.GeneratedMask;
        if (generated > 0)
        {
            value -= row.Frequency * generated;
            value -= row.Presence;
        }

        logit = value;
    }
}

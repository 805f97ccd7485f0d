namespace Sluice.Tests.Models;

/// <summary>Logprobs in double precision, from the logits of a row.</summary>
internal static class LogitMath
{
    public static double Logprob(ReadOnlySpan<float> row, int token)
    {
        double max = double.NegativeInfinity;
        foreach (float logit in row)
        {
            max = Math.Max(max, logit);
        }

        double sum = 0;
        foreach (float logit in row)
        {
            sum += Math.Exp(logit - max);
        }

        return row[token] - max - Math.Log(sum);
    }

    public static int ArgMax(ReadOnlySpan<float> row)
    {
        int best = 0;
        for (int i = 1; i < row.Length; i++)
        {
            if (row[i] > row[best])
            {
                best = i;
            }
        }

        return best;
    }

    public static ReadOnlySpan<float> Row(float[] logits, int row, int vocabulary) => logits.AsSpan(row * vocabulary, vocabulary);
}

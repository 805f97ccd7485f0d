namespace Sluice.Compute.Ops.Moe;

/// <summary>The definition of the choice of experts, by plain search; not a number counts as negative infinity in the choice.</summary>
internal static unsafe class RouteReference
{
    /// <summary>Keeps the sum of the chosen scores away from zero; far below any score that matters.</summary>
    public const float SmallestSum = 1e-20f;

    public static void Run(Tensor experts, Tensor weights, Tensor logits, Tensor? correction, Routing routing)
    {
        for (int row = 0; row < logits.Rows; row++)
        {
            ReadOnlySpan<float> logit = new((float*)logits.Address + ((long)row * logits.RowStride), routing.Experts);
            float[] scores = Scores(logit, routing.Score);
            float[] keys = [.. scores];
            for (int expert = 0; expert < keys.Length; expert++)
            {
                keys[expert] += correction is { } c ? ((float*)c.Address)[expert] : 0;
                keys[expert] = float.IsNaN(keys[expert]) ? float.NegativeInfinity : keys[expert];
            }

            float[] groups = new float[routing.Groups];
            for (int group = 0; group < groups.Length; group++)
            {
                float[] falling = [.. keys.Skip(group * routing.GroupSize).Take(routing.GroupSize).OrderDescending()];
                groups[group] = routing.GroupScore == GroupScore.Best || falling.Length == 1 ? falling[0] : falling[0] + falling[1];
            }

            // Sorting is stable: equals stay in the order of their numbers.
            HashSet<int> open = [.. Enumerable.Range(0, groups.Length).OrderByDescending(group => groups[group]).Take(routing.ChosenGroups)];
            int[] chosen =
            [
                .. Enumerable.Range(0, keys.Length).Where(expert => open.Contains(expert / routing.GroupSize))
                    .OrderByDescending(expert => keys[expert]).Take(routing.ChosenExperts),
            ];
            float sum = 0;
            foreach (int expert in chosen)
            {
                sum += scores[expert];
            }

            for (int i = 0; i < chosen.Length; i++)
            {
                float score = scores[chosen[i]];
                ((int*)experts.Address)[((long)row * experts.RowStride) + i] = chosen[i];
                ((float*)weights.Address)[((long)row * weights.RowStride) + i] =
                    (routing.Normalize ? score / (sum + SmallestSum) : score) * routing.Scale;
            }
        }
    }

    private static float[] Scores(ReadOnlySpan<float> logits, RoutingScore kind)
    {
        float[] scores = new float[logits.Length];
        if (kind == RoutingScore.Sigmoid)
        {
            for (int i = 0; i < scores.Length; i++)
            {
                scores[i] = 1 / (ScalarMath.Exp(-logits[i]) + 1);
            }

            return scores;
        }

        float largest = float.NegativeInfinity;
        float sum = 0;
        foreach (float logit in logits)
        {
            largest = ScalarMath.MaxNative(logit, largest);
        }

        for (int i = 0; i < scores.Length; i++)
        {
            scores[i] = ScalarMath.Exp(logits[i] - largest);
            sum += scores[i];
        }

        for (int i = 0; i < scores.Length; i++)
        {
            scores[i] /= sum;
        }

        return scores;
    }
}

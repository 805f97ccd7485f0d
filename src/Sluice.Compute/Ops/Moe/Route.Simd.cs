using System.Runtime.Intrinsics;
using Sluice.Compute.Cpu;

namespace Sluice.Compute.Ops.Moe;

/// <summary>The choice of experts: scores eight at a time, then one pass that keeps the best. Tokens in parallel.</summary>
internal static unsafe class RouteSimd
{
    // What a score costs beside an addition, for the number of parts.
    private const long WorkPerExpert = 16;

    public static void Run(CpuContext context, Tensor experts, Tensor weights, Tensor logits, Tensor? correction, Routing routing)
    {
        string? contradiction = routing.Contradiction();
        if (contradiction is not null)
        {
            throw new ArgumentException($"Route: {contradiction}.", nameof(routing));
        }

        Guard.RequireShapes(
            logits.Type == DType.Float32 && logits.Columns == routing.Experts
                && experts.Type == DType.Int32 && experts.Rows == logits.Rows && experts.Columns == routing.ChosenExperts
                && weights.Type == DType.Float32 && weights.Rows == logits.Rows && weights.Columns == routing.ChosenExperts
                && (correction is not { } c || (c.Type == DType.Float32 && c.Columns == routing.Experts)),
            "Route");

        // Scores, keys, and the order of the groups with their scores.
        context.Scratch.EnsureThreadBytes(((2L * routing.Experts) + (2L * routing.Groups) + routing.ChosenExperts) * sizeof(float));
        RouteJob job = new()
        {
            ThreadScratch = context.Scratch.ThreadBuffers,
            Logits = logits,
            Experts = experts,
            Weights = weights,
            Correction = correction is { } bias ? (float*)bias.Address : null,
            ExpertCount = routing.Experts,
            Chosen = routing.ChosenExperts,
            Groups = routing.Groups,
            ChosenGroups = routing.ChosenGroups,
            Sigmoid = routing.Score == RoutingScore.Sigmoid,
            TwoBest = routing.GroupScore == GroupScore.SumOfTwoBest && routing.GroupSize > 1,
            Normalize = routing.Normalize,
            Scale = routing.Scale,
            Parts = context.PartsFor(logits.Rows, routing.Experts * WorkPerExpert),
        };
        context.Pool.Run(ref job, job.Parts);
    }

    private struct RouteJob : IParallelJob
    {
        public nint* ThreadScratch;
        public Tensor Logits;
        public Tensor Experts;
        public Tensor Weights;
        public float* Correction;
        public int ExpertCount;
        public int Chosen;
        public int Groups;
        public int ChosenGroups;
        public bool Sigmoid;
        public bool TwoBest;
        public bool Normalize;
        public float Scale;
        public int Parts;

        public readonly void Execute(int index, int thread)
        {
            Span<float> scratch = new((void*)ThreadScratch[thread], (2 * ExpertCount) + (2 * Groups) + Chosen);
            Span<float> scores = scratch[..ExpertCount];
            Span<float> keys = scratch.Slice(ExpertCount, ExpertCount);
            (int start, int end) = CpuContext.Range(Logits.Rows, index, Parts);
            for (long row = start; row < end; row++)
            {
                ReadOnlySpan<float> logits = new((float*)Logits.Address + (row * Logits.RowStride), ExpertCount);
                if (Sigmoid)
                {
                    Logistic(logits, scores);
                }
                else
                {
                    Softmax(logits, scores);
                }

                for (int expert = 0; expert < keys.Length; expert++)
                {
                    float key = Correction == null ? scores[expert] : scores[expert] + Correction[expert];
                    keys[expert] = float.IsNaN(key) ? float.NegativeInfinity : key;
                }

                Span<int> chosen = new((int*)Experts.Address + (row * Experts.RowStride), Chosen);
                Choose(keys, scratch[(2 * ExpertCount)..], chosen);
                Weigh(scores, chosen, new((float*)Weights.Address + (row * Weights.RowStride), Chosen));
            }
        }

        private readonly void Choose(ReadOnlySpan<float> keys, Span<float> scratch, Span<int> chosen)
        {
            Span<float> best = scratch[(2 * Groups)..];
            int count = 0;
            if (Groups == 1)
            {
                Keep(keys, 0, chosen, best, ref count);
                return;
            }

            int groupSize = ExpertCount / Groups;
            Span<float> groupScores = scratch[..Groups];
            Span<float> kept = scratch.Slice(Groups, ChosenGroups);
            for (int group = 0; group < Groups; group++)
            {
                groupScores[group] = ScoreOfGroup(keys.Slice(group * groupSize, groupSize));
            }

            Span<int> groups = stackalloc int[ChosenGroups];
            int groupCount = 0;
            Keep(groupScores, 0, groups, kept, ref groupCount);

            // In the order of their numbers, so that equals go to the lower one.
            groups.Sort();
            foreach (int group in groups)
            {
                Keep(keys.Slice(group * groupSize, groupSize), group * groupSize, chosen, best, ref count);
            }
        }

        private readonly float ScoreOfGroup(ReadOnlySpan<float> keys)
        {
            float first = float.NegativeInfinity;
            float second = float.NegativeInfinity;
            foreach (float key in keys)
            {
                if (key > first)
                {
                    second = first;
                    first = key;
                }
                else if (key > second)
                {
                    second = key;
                }
            }

            return TwoBest ? first + second : first;
        }

        /// <summary>Sorts values into the list of the best, which are in falling order.</summary>
        private static void Keep(ReadOnlySpan<float> values, int firstId, Span<int> ids, Span<float> best, ref int count)
        {
            for (int i = 0; i < values.Length; i++)
            {
                float value = values[i];
                if (count == ids.Length && !(value > best[count - 1]))
                {
                    continue;
                }

                int place = count < ids.Length ? count++ : count - 1;
                for (; place > 0 && value > best[place - 1]; place--)
                {
                    best[place] = best[place - 1];
                    ids[place] = ids[place - 1];
                }

                best[place] = value;
                ids[place] = firstId + i;
            }
        }

        private readonly void Weigh(ReadOnlySpan<float> scores, ReadOnlySpan<int> chosen, Span<float> weights)
        {
            float sum = 0;
            foreach (int expert in chosen)
            {
                sum += scores[expert];
            }

            for (int i = 0; i < chosen.Length; i++)
            {
                float score = scores[chosen[i]];
                weights[i] = (Normalize ? score / (sum + RouteReference.SmallestSum) : score) * Scale;
            }
        }

        private static void Logistic(ReadOnlySpan<float> logits, Span<float> scores)
        {
            int i = 0;
            for (; i <= logits.Length - Vector256<float>.Count; i += Vector256<float>.Count)
            {
                Vector256<float> x = Vector256.Create(logits[i..]);
                (Vector256<float>.One / (VectorMath.Exp(-x) + Vector256<float>.One)).CopyTo(scores[i..]);
            }

            for (; i < logits.Length; i++)
            {
                scores[i] = 1 / (ScalarMath.Exp(-logits[i]) + 1);
            }
        }

        // The sum is one chain over the experts, as in the definition.
        private static void Softmax(ReadOnlySpan<float> logits, Span<float> scores)
        {
            float largest = float.NegativeInfinity;
            foreach (float logit in logits)
            {
                largest = ScalarMath.MaxNative(logit, largest);
            }

            int i = 0;
            for (; i <= logits.Length - Vector256<float>.Count; i += Vector256<float>.Count)
            {
                VectorMath.Exp(Vector256.Create(logits[i..]) - Vector256.Create(largest)).CopyTo(scores[i..]);
            }

            for (; i < logits.Length; i++)
            {
                scores[i] = ScalarMath.Exp(logits[i] - largest);
            }

            float sum = 0;
            foreach (float score in scores)
            {
                sum += score;
            }

            foreach (ref float score in scores)
            {
                score /= sum;
            }
        }
    }
}

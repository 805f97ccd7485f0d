using Sluice.Compute.Cpu;
using Sluice.Compute.Ops.Linear;

namespace Sluice.Compute.Ops.Moe;

/// <summary>
/// The linear layer with the matrix of a chosen expert for each row. Rows are grouped by expert; each group goes through the
/// ordinary linear layer, so that a matrix is read once for all of its rows and not at all when it has none, and every element is the
/// same chain as there.
/// </summary>
internal static unsafe class ExpertLinearSimd
{
    // Rows gathered at once: bounds the memory for that, and enough that reading the matrix again costs nothing.
    private const int MaxGatheredRows = 768;

    public static void Run(CpuContext context, Tensor output, Tensor input, ExpertWeights weights, Tensor? bias, Tensor experts)
    {
        int rows = output.Rows;
        Guard.RequireShapes(
            experts.Type == DType.Int32 && experts.IsContiguous && (long)experts.Rows * experts.Columns == rows
                && input.Columns == weights.Columns && output.Columns == weights.Rows
                && (input.Rows == rows || input.Rows == experts.Rows)
                && input.Type == DType.Float32 && output.Type == DType.Float32
                && (bias is not { } b || (b.Type == DType.Float32 && b.Rows == weights.Count && b.Columns == weights.Rows)),
            "ExpertLinear");
        if (rows == 0)
        {
            return;
        }

        int* chosen = (int*)experts.Address;
        int mostRows = Math.Min(CountRows(context, chosen, rows, weights.Count), MaxGatheredRows);

        // Kept through the calls of the linear layer: ends[e] is where the rows of expert e end in the order.
        long integers = ((weights.Count + rows + 15L) / 16) * 16;
        long floats = mostRows > 1 ? (long)mostRows * (input.Columns + output.Columns) : 0;
        int* ends = (int*)context.Scratch.Outer((integers + floats) * sizeof(float));
        int* order = ends + weights.Count;
        float* gathered = (float*)(ends + integers);
        Sort(chosen, rows, ends, order, weights.Count);

        int sharing = rows / input.Rows;
        for (int expert = 0, start = 0; expert < weights.Count; start = ends[expert], expert++)
        {
            for (int first = start, count; first < ends[expert]; first += count)
            {
                count = Math.Min(ends[expert] - first, mostRows);
                Tensor? addend = bias?.SliceRows(expert, 1);
                if (count == 1)
                {
                    int row = order[first];
                    LinearSimd.Run(context, output.SliceRows(row, 1), input.SliceRows(row / sharing, 1), weights[expert], addend);
                    continue;
                }

                Tensor from = new((nint)gathered, DType.Float32, count, input.Columns);
                Tensor to = new((nint)(gathered + ((long)mostRows * input.Columns)), DType.Float32, count, output.Columns);
                Copy(context, new CopyJob { Rows = order + first, Divisor = sharing, Compact = from, Spread = input, Gathers = true });
                LinearSimd.Run(context, to, from, weights[expert], addend);
                Copy(context, new CopyJob { Rows = order + first, Divisor = 1, Compact = to, Spread = output });
            }
        }
    }

    /// <summary>The most rows of an expert.</summary>
    private static int CountRows(CpuContext context, int* chosen, int rows, int expertCount)
    {
        Span<int> counts = new(context.Scratch.Outer((long)expertCount * sizeof(int)), expertCount);
        counts.Clear();
        int most = 0;
        for (int row = 0; row < rows; row++)
        {
            Guard.RequireIndex(chosen[row], expertCount, "number of the expert");
            most = Math.Max(most, ++counts[chosen[row]]);
        }

        return most;
    }

    // By counting: rows of an expert stay in their order.
    private static void Sort(int* chosen, int rows, int* ends, int* order, int expertCount)
    {
        Span<int> places = new(ends, expertCount);
        places.Clear();
        for (int row = 0; row < rows; row++)
        {
            places[chosen[row]]++;
        }

        int start = 0;
        foreach (ref int place in places)
        {
            (place, start) = (start, start + place);
        }

        for (int row = 0; row < rows; row++)
        {
            order[places[chosen[row]]++] = row;
        }
    }

    private static void Copy(CpuContext context, CopyJob job)
    {
        job.Parts = context.PartsFor(job.Compact.Rows, job.Compact.Columns);
        context.Pool.Run(ref job, job.Parts);
    }

    /// <summary>Rows of a tensor that follow each other in another, or back.</summary>
    private struct CopyJob : IParallelJob
    {
        public int* Rows;
        public int Divisor;
        public Tensor Compact;
        public Tensor Spread;
        public bool Gathers;
        public int Parts;

        public readonly void Execute(int index, int thread)
        {
            (int start, int end) = CpuContext.Range(Compact.Rows, index, Parts);
            for (int row = start; row < end; row++)
            {
                Span<float> compact = new((float*)Compact.Address + ((long)row * Compact.RowStride), Compact.Columns);
                Span<float> spread = new((float*)Spread.Address + ((long)(Rows[row] / Divisor) * Spread.RowStride), Compact.Columns);
                if (Gathers)
                {
                    spread.CopyTo(compact);
                }
                else
                {
                    compact.CopyTo(spread);
                }
            }
        }
    }
}

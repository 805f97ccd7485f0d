using Sluice.Compute.Ops.Linear;

namespace Sluice.Compute.Ops.Moe;

/// <summary>The definition of the linear layer with the matrix of a chosen expert for each row: row by row.</summary>
internal static unsafe class ExpertLinearReference
{
    public static void Run(Tensor output, Tensor input, ExpertWeights weights, Tensor? bias, Tensor experts)
    {
        int sharing = output.Rows / Math.Max(input.Rows, 1);
        for (int row = 0; row < output.Rows; row++)
        {
            int expert = ((int*)experts.Address)[row];
            LinearReference.Run(output.SliceRows(row, 1), input.SliceRows(row / sharing, 1), weights[expert], bias?.SliceRows(expert, 1));
        }
    }
}

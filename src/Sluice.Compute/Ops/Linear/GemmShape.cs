using System.Numerics;
using System.Runtime.CompilerServices;

namespace Sluice.Compute.Ops.Linear;

/// <summary>What the choice of a matrix product's algorithm depends on. Row counts that share a bucket share the choice.</summary>
/// <param name="BucketRows">Largest row count of the bucket.</param>
/// <param name="Outputs">Rows of the weight.</param>
/// <param name="Inputs">Columns of the weight.</param>
/// <param name="OutputType">The activation type, or float32.</param>
/// <param name="HasBias">Whether a bias is added.</param>
/// <param name="InputAlignment">Bytes that every row of the input is aligned to, 16 at most.</param>
/// <param name="OutputAlignment">Bytes that every row of the output is aligned to, 16 at most.</param>
internal readonly record struct GemmShape(
    int BucketRows, int Outputs, int Inputs, DType OutputType, bool HasBias, int InputAlignment, int OutputAlignment)
{
    // More is of no use to any kernel: the widest access of a thread and the grain of bulk copies.
    private const int MaxAlignment = 16;

    // Row counts of decode steps, finer than the tiles of any kernel would notice.
    private static ReadOnlySpan<int> Buckets => [1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512];

    /// <summary>The smallest bucket that holds this many rows; above the decode sizes, powers of two and one and a half of them.</summary>
    public static int BucketFor(int rows)
    {
        foreach (int bucket in Buckets)
        {
            if (rows <= bucket)
            {
                return bucket;
            }
        }

        int power = (int)BitOperations.RoundUpToPowerOf2((uint)rows);
        return rows <= power / 4 * 3 ? power / 4 * 3 : power;
    }

    /// <summary>
    /// What all rows of a tensor are aligned to. The distance of the rows counts even for a single row, so that a row alone is treated
    /// as it is in a batch.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int AlignmentOf(Tensor tensor)
    {
        long bits = tensor.Address | ((long)tensor.RowStride * tensor.Type.SizeBytes()) | MaxAlignment;
        return (int)(bits & -bits);
    }
}

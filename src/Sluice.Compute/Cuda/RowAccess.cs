namespace Sluice.Compute.Cuda;

/// <summary>How wide a kernel may access the rows of a tensor, and the grids of kernels that go over rows in parts.</summary>
internal static class RowAccess
{
    /// <summary>Threads of a block of the kernels that give each thread one vector of a row.</summary>
    public const int BlockThreads = 256;

    private const int WidestBytes = 16;

    /// <summary>The largest power of two up to 16 that the address, the rows' distance and their length are multiples of, in bytes.</summary>
    public static int UnitBytes(in Tensor tensor)
    {
        int elementBytes = tensor.Type.SizeBytes();
        long stride = tensor.Rows > 1 ? (long)tensor.RowStride * elementBytes : 0;
        long bits = tensor.Address | stride | ((long)tensor.Columns * elementBytes) | WidestBytes;
        return (int)(bits & -bits);
    }

    /// <summary>Rows can be read and written 16 bytes at a time.</summary>
    public static bool Allows16(in Tensor tensor) => UnitBytes(tensor) == WidestBytes;

    /// <summary>One block column a part of <see cref="BlockThreads"/> vectors, one block row a row.</summary>
    public static LaunchShape Grid(int rows, int vectorsInRow)
        => new(rows, BlockThreads, GridY: (vectorsInRow + BlockThreads - 1) / BlockThreads, IsProgrammatic: true);
}

using System.Runtime.CompilerServices;

namespace Sluice.Compute;

/// <summary>
/// A two-dimensional row-major view of device memory. A value: it owns nothing; the backend that allocated the memory
/// frees it (<see cref="IBackend.Free(Tensor)"/>, or all at once when the backend is disposed).
/// A vector is a tensor of one row. Three-dimensional data such as <c>[tokens, heads, headDim]</c> is a tensor of
/// <c>tokens</c> rows whose columns are the heads side by side.
/// </summary>
/// <param name="Address">Device address of element (0, 0): host memory on the CPU backend.</param>
/// <param name="Type">Element type.</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="Columns">Number of columns of the view.</param>
/// <param name="RowStride">Elements from one row to the next; at least <paramref name="Columns"/>.</param>
public readonly record struct Tensor(nint Address, DType Type, int Rows, int Columns, int RowStride)
{
    /// <summary>A view of contiguous rows.</summary>
    public Tensor(nint address, DType type, int rows, int columns)
        : this(address, type, rows, columns, columns)
    {
    }

    /// <summary>True when rows follow each other without a gap.</summary>
    public bool IsContiguous => RowStride == Columns || Rows <= 1;

    /// <summary>Rows <paramref name="start"/> to <paramref name="start"/> + <paramref name="count"/>, all columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Tensor SliceRows(int start, int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)start, (uint)Rows);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)(Rows - start));
        return this with { Address = Address + (nint)((long)start * RowStride * Type.SizeBytes()), Rows = count };
    }

    /// <summary>Columns <paramref name="start"/> to <paramref name="start"/> + <paramref name="count"/> of every row; strided.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Tensor SliceColumns(int start, int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)start, (uint)Columns);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)(Columns - start));
        return this with { Address = Address + start * Type.SizeBytes(), Columns = count };
    }

    /// <summary>As many rows of <paramref name="columns"/> columns without gaps, at the beginning of the same memory.</summary>
    public Tensor Narrow(int columns)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)columns, (uint)RowStride);
        return new Tensor(Address, Type, Rows, columns);
    }
}

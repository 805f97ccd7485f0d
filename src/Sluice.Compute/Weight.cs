using Sluice.Compute.Ops.Linear;

namespace Sluice.Compute;

/// <summary>
/// The matrix of a linear layer or an embedding table, <c>[outFeatures, inFeatures]</c>, in the storage format and the
/// physical layout that its backend prefers. Models and layers never look inside: formats live behind this type.
/// Created by <see cref="IBackend.AllocateWeight"/>, filled by <see cref="IBackend.UploadRows"/>, used by
/// <see cref="IBackend.Linear"/> and <see cref="IBackend.Embedding"/>.
/// </summary>
public sealed class Weight
{
    internal Weight(int rows, int columns, DType type, nint address, long sizeBytes)
    {
        Rows = rows;
        Columns = columns;
        Type = type;
        Address = address;
        SizeBytes = sizeBytes;
    }

    /// <summary>Output features.</summary>
    public int Rows { get; }

    /// <summary>Input features.</summary>
    public int Columns { get; }

    /// <summary>The type in which elements are stored; they are widened in registers.</summary>
    public DType Type { get; }

    /// <summary>Device memory that the weight takes, padding included.</summary>
    public long SizeBytes { get; }

    internal nint Address { get; }

    /// <summary>Bytes of elements and scales, without padding.</summary>
    internal static long StoredBytes(int rows, int columns, DType type)
    {
        long elements = (long)rows * columns;
        return type switch
        {
            DType.Float4E2M1 => (elements / 2) + (elements / Float4Panel.GroupColumns),
            DType.Float8E4M3 => elements + PackedWeight.ScaleBytes(rows, columns),
            _ => elements * type.SizeBytes(),
        };
    }
}

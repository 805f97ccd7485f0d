namespace Sluice.Compute;

/// <summary>The element type of a tensor or a weight.</summary>
public enum DType
{
    /// <summary>IEEE 754 binary32.</summary>
    Float32,

    /// <summary>IEEE 754 binary16.</summary>
    Float16,

    /// <summary>The upper half of a binary32: 8 exponent bits, 7 mantissa bits.</summary>
    BFloat16,

    /// <summary>Signed 32-bit integer: token ids, positions, slots, block tables.</summary>
    Int32,

    /// <summary>
    /// 8-bit float with 4 exponent and 3 mantissa bits, no infinities, largest value 448: elements of the key-value cache on
    /// devices that convert it in hardware.
    /// </summary>
    Float8E4M3,

    /// <summary>
    /// 4-bit float with 2 exponent bits and 1 mantissa bit, largest value 6, two in a byte, with a power of two for each 32 elements of a
    /// row: weights only.
    /// </summary>
    Float4E2M1,
}

/// <summary>Sizes and names of element types.</summary>
public static class DTypes
{
    /// <summary>Size of one element in bytes. Elements of less than a byte have none.</summary>
    public static int SizeBytes(this DType type) => type switch
    {
        DType.Float32 or DType.Int32 => 4,
        DType.Float16 or DType.BFloat16 => 2,
        DType.Float8E4M3 => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
    };

    /// <summary>The name that configuration files and flags use, such as <c>bfloat16</c>.</summary>
    public static string Name(this DType type) => type switch
    {
        DType.Float32 => "float32",
        DType.Float16 => "float16",
        DType.BFloat16 => "bfloat16",
        DType.Int32 => "int32",
        DType.Float8E4M3 => "fp8_e4m3",
        DType.Float4E2M1 => "mxfp4_e2m1",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
    };
}

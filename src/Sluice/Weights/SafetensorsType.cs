using Sluice.Compute;

namespace Sluice.Weights;

/// <summary>The element types of the safetensors format.</summary>
internal static class SafetensorsType
{
    /// <summary>Names of the types that weights can be read from.</summary>
    public const string Supported = "F32, F16, BF16 and F8_E4M3";

    /// <summary>Name of the 8-bit type that weights can have.</summary>
    public const string Float8 = "F8_E4M3";

    /// <summary>The name of plain bytes.</summary>
    public const string Bytes = "U8";

    /// <summary>Bits of an element; 0 for a name that the format does not have.</summary>
    public static int Bits(string name) => name switch
    {
        "F4" => 4,
        "F6_E2M3" or "F6_E3M2" => 6,
        "BOOL" or "U8" or "I8" or "F8_E4M3" or "F8_E5M2" or "F8_E8M0" or "F8_E4M3FNUZ" or "F8_E5M2FNUZ" => 8,
        "U16" or "I16" or "F16" or "BF16" => 16,
        "U32" or "I32" or "F32" => 32,
        "U64" or "I64" or "F64" or "C64" => 64,
        _ => 0,
    };

    /// <summary>The type of a weight with elements of this name, or null when weights cannot be read from it.</summary>
    public static DType? ToDType(string name) => name switch
    {
        "F32" => DType.Float32,
        "F16" => DType.Float16,
        "BF16" => DType.BFloat16,
        Float8 => DType.Float8E4M3,
        _ => null,
    };
}

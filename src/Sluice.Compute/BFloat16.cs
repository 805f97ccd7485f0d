using System.Runtime.CompilerServices;

namespace Sluice.Compute;

/// <summary>A 16-bit brain float: the upper half of a binary32 (.NET 10 has no such type of its own).</summary>
/// <param name="Bits">Sign, 8 exponent bits, 7 mantissa bits.</param>
public readonly record struct BFloat16(ushort Bits)
{
    /// <summary>Widens exactly.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static explicit operator float(BFloat16 value) => BitConverter.UInt32BitsToSingle((uint)value.Bits << 16);

    /// <summary>Rounds to nearest, ties to even; a NaN stays a (quiet) NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static explicit operator BFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value))
        {
            return new BFloat16((ushort)((bits >> 16) | 0x0040));
        }

        return new BFloat16((ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16));
    }

    /// <inheritdoc/>
    public override string ToString() => ((float)this).ToString();
}

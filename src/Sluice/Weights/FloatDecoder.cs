using System.Runtime.InteropServices;
using Sluice.Compute;

namespace Sluice.Weights;

/// <summary>Widens stored floats: for vectors, which are kept in float32 whatever the checkpoint has.</summary>
internal static class FloatDecoder
{
    /// <param name="source">Little-endian elements.</param>
    /// <param name="type">Their type.</param>
    /// <param name="destination">As many values as <paramref name="source"/> holds.</param>
    public static void Decode(ReadOnlySpan<byte> source, DType type, Span<float> destination)
    {
        switch (type)
        {
            case DType.Float32:
                MemoryMarshal.Cast<byte, float>(source).CopyTo(destination);
                break;
            case DType.Float16:
                ReadOnlySpan<Half> halves = MemoryMarshal.Cast<byte, Half>(source);
                for (int i = 0; i < halves.Length; i++)
                {
                    destination[i] = (float)halves[i];
                }

                break;
            case DType.BFloat16:
                ReadOnlySpan<BFloat16> brains = MemoryMarshal.Cast<byte, BFloat16>(source);
                for (int i = 0; i < brains.Length; i++)
                {
                    destination[i] = (float)brains[i];
                }

                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type), type, null);
        }
    }
}

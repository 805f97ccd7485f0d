using System.Numerics.Tensors;
using System.Runtime.CompilerServices;

namespace Sluice.Compute.Ops;

/// <summary>Conversions between element types in memory.</summary>
internal static unsafe class Elements
{
    // Elements that pass through a float32 buffer on the stack at once.
    private const int ConversionChunk = 1024;

    /// <summary>One element as float32; exact.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Widen(byte* element, DType type) => type switch
    {
        DType.Float32 => Unsafe.ReadUnaligned<float>(element),
        DType.BFloat16 => (float)Unsafe.ReadUnaligned<BFloat16>(element),
        DType.Float16 => (float)Unsafe.ReadUnaligned<Half>(element),
        _ => throw NotAFloat(type),
    };

    /// <summary>Stores one element, rounding to nearest, ties to even.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Narrow(float value, byte* element, DType type)
    {
        switch (type)
        {
            case DType.Float32:
                Unsafe.WriteUnaligned(element, value);
                break;
            case DType.BFloat16:
                Unsafe.WriteUnaligned(element, (BFloat16)value);
                break;
            case DType.Float16:
                Unsafe.WriteUnaligned(element, (Half)value);
                break;
            default:
                throw NotAFloat(type);
        }
    }

    /// <summary>Converts contiguous elements; source and destination do not overlap.</summary>
    [SkipLocalsInit]
    public static void Convert(byte* source, DType sourceType, byte* destination, DType destinationType, long count)
    {
        float* buffer = stackalloc float[ConversionChunk];
        int sourceBytes = sourceType.SizeBytes();
        int destinationBytes = destinationType.SizeBytes();
        while (count > 0)
        {
            int length = (int)Math.Min(count, ConversionChunk);
            WidenMany(source, sourceType, buffer, length);
            NarrowMany(buffer, destination, destinationType, length);
            source += (long)length * sourceBytes;
            destination += (long)length * destinationBytes;
            count -= length;
        }
    }

    private static void WidenMany(byte* source, DType type, float* destination, int count)
    {
        Span<float> result = new(destination, count);
        switch (type)
        {
            case DType.Float32:
                new ReadOnlySpan<float>(source, count).CopyTo(result);
                break;
            case DType.Float16:
                TensorPrimitives.ConvertToSingle(new ReadOnlySpan<Half>(source, count), result);
                break;
            case DType.BFloat16:
                uint* bits = (uint*)destination;
                for (int i = 0; i < count; i++)
                {
                    bits[i] = (uint)Unsafe.ReadUnaligned<ushort>(source + (2 * i)) << 16;
                }

                break;
            default:
                throw NotAFloat(type);
        }
    }

    private static void NarrowMany(float* source, byte* destination, DType type, int count)
    {
        ReadOnlySpan<float> values = new(source, count);
        switch (type)
        {
            case DType.Float32:
                values.CopyTo(new Span<float>(destination, count));
                break;
            case DType.Float16:
                TensorPrimitives.ConvertToHalf(values, new Span<Half>(destination, count));
                break;
            case DType.BFloat16:
                for (int i = 0; i < count; i++)
                {
                    Unsafe.WriteUnaligned(destination + (2 * i), (BFloat16)values[i]);
                }

                break;
            default:
                throw NotAFloat(type);
        }
    }

    private static ArgumentOutOfRangeException NotAFloat(DType type) => new(nameof(type), type, "Not a floating-point type.");
}

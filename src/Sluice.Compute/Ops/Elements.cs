using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sluice.Compute.Ops.Linear;

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
        DType.Float8E4M3 => Float8Panel.Widen(*element),
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

    /// <summary>Contiguous elements as float32; exact.</summary>
    public static void WidenMany(byte* source, DType type, float* destination, int count)
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
                WidenBFloat16((ushort*)source, (uint*)destination, count);
                break;
            case DType.Float8E4M3:
                for (int i = 0; i < count; i++)
                {
                    destination[i] = Float8Panel.Widen(source[i]);
                }

                break;
            default:
                throw NotAFloat(type);
        }
    }

    /// <summary>Contiguous float32 values in another type, to nearest, ties to even.</summary>
    public static void NarrowMany(float* source, byte* destination, DType type, int count)
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
                NarrowBFloat16(source, (ushort*)destination, count);
                break;
            default:
                throw NotAFloat(type);
        }
    }

    private static void WidenBFloat16(ushort* source, uint* destination, int count)
    {
        int i = 0;
        for (; i <= count - 16; i += 16)
        {
            Vector256<ushort> bits = Vector256.Load(source + i);
            (Vector256.WidenLower(bits) << 16).Store(destination + i);
            (Vector256.WidenUpper(bits) << 16).Store(destination + i + 8);
        }

        for (; i < count; i++)
        {
            destination[i] = (uint)source[i] << 16;
        }
    }

    private static void NarrowBFloat16(float* source, ushort* destination, int count)
    {
        int i = 0;
        for (; i <= count - 16; i += 16)
        {
            Vector256.Narrow(RoundToBFloat16(Vector256.Load(source + i)), RoundToBFloat16(Vector256.Load(source + i + 8))).Store(destination + i);
        }

        for (; i < count; i++)
        {
            destination[i] = ((BFloat16)source[i]).Bits;
        }
    }

    /// <summary>The conversion of <see cref="BFloat16"/>, the result in the lower half of each lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> RoundToBFloat16(Vector256<float> values)
    {
        Vector256<uint> bits = values.AsUInt32();
        Vector256<uint> rounded = (bits + Vector256.Create(0x7FFFu) + ((bits >>> 16) & Vector256<uint>.One)) >>> 16;
        Vector256<uint> quiet = (bits >>> 16) | Vector256.Create(0x0040u);
        return Vector256.ConditionalSelect(Vector256.Equals(values, values).AsUInt32(), rounded, quiet);
    }

    private static ArgumentOutOfRangeException NotAFloat(DType type) => new(nameof(type), type, "Not a floating-point type.");
}

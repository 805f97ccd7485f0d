using System.Runtime.InteropServices;
using Sluice.Compute.Cuda;

namespace Sluice.Compute.Tests.Cuda;

/// <summary>The GPU of this machine for a test, or the reason why the test is skipped.</summary>
internal static class Gpu
{
    /// <summary>Tests on the GPU run one after another: its memory and its time are one.</summary>
    public const string Collection = "GPU";

    private static readonly Lazy<string?> Missing = new(FindReason);

    /// <summary>A backend of the test's own. Skips the test where there is no GPU.</summary>
    public static CudaBackend Open(DType activationType = DType.BFloat16, bool batchInvariant = false)
    {
        Assert.SkipWhen(Missing.Value is not null, Missing.Value ?? "");
        return new CudaBackend(0, activationType, batchInvariant);
    }

    /// <summary>A tensor with the values of an array, rounded to its type.</summary>
    public static Tensor Tensor(CudaBackend backend, float[] values, int rows, int columns, DType type)
    {
        Assert.Equal(rows * columns, values.Length);
        Tensor tensor = backend.Allocate(rows, columns, type);
        switch (type)
        {
            case DType.Float32:
                backend.Upload<float>(tensor, values);
                break;
            case DType.BFloat16:
                backend.Upload<BFloat16>(tensor, Array.ConvertAll(values, value => (BFloat16)value));
                break;
            default:
                backend.Upload<Half>(tensor, Array.ConvertAll(values, value => (Half)value));
                break;
        }

        return tensor;
    }

    /// <summary>What a contiguous tensor of floats of any type holds.</summary>
    public static float[] Read(CudaBackend backend, Tensor tensor)
    {
        float[] values = new float[tensor.Rows * tensor.Columns];
        switch (tensor.Type)
        {
            case DType.Float32:
                backend.Download<float>(tensor, values);
                return values;
            case DType.BFloat16:
                BFloat16[] brain = new BFloat16[values.Length];
                backend.Download<BFloat16>(tensor, brain);
                return Array.ConvertAll(brain, value => (float)value);
            default:
                Half[] half = new Half[values.Length];
                backend.Download<Half>(tensor, half);
                return Array.ConvertAll(half, value => (float)value);
        }
    }

    /// <summary>Fills a contiguous tensor with NaN, so that what an operation does not write is seen.</summary>
    public static void Poison(CudaBackend backend, Tensor tensor)
    {
        byte[] bytes = new byte[(long)tensor.Rows * tensor.Columns * tensor.Type.SizeBytes()];
        Array.Fill(bytes, (byte)0xFF);
        Tensor raw = new(tensor.Address, DType.Float8E4M3, 1, bytes.Length);
        backend.Upload<byte>(raw, bytes);
    }

    /// <summary>Random numbers of a 16-bit type in ±[0.5, 1), made fast: weights of real models have hundreds of millions.</summary>
    public static ushort[] RandomBits(Random random, int count, DType type)
    {
        ushort[] values = GC.AllocateUninitializedArray<ushort>((count + 3) & ~3);
        ulong state = (ulong)random.NextInt64();
        (ulong keep, ulong exponent) = type == DType.BFloat16
            ? (0x807F_807F_807F_807FUL, 0x3F00_3F00_3F00_3F00UL)
            : (0x83FF_83FF_83FF_83FFUL, 0x3800_3800_3800_3800UL);
        foreach (ref ulong four in MemoryMarshal.Cast<ushort, ulong>(values.AsSpan()))
        {
            // SplitMix64.
            ulong mixed = state += 0x9E37_79B9_7F4A_7C15;
            mixed = (mixed ^ (mixed >> 30)) * 0xBF58_476D_1CE4_E5B9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB;
            four = ((mixed ^ (mixed >> 31)) & keep) | exponent;
        }

        return values.Length == count ? values : values[..count];
    }

    public static float Widen(ushort bits, DType type) => type == DType.BFloat16 ? (float)new BFloat16(bits) : (float)BitConverter.UInt16BitsToHalf(bits);

    private static string? FindReason()
    {
        try
        {
            return CudaDevice.Count() > 0 ? null : "The NVIDIA driver sees no GPU.";
        }
        catch (CudaUnavailableException error)
        {
            return error.Message;
        }
    }
}

using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text;
using Sluice.Compute;

namespace Sluice.Weights;

/// <summary>
/// Random weights in any shape, the same for the same seed: matrices uniform with a variance of 1 / columns, so that
/// activations keep their size from layer to layer and logits stay finite; gains 1, biases 0.
/// </summary>
internal sealed class DummyCheckpoint(long seed) : ICheckpoint
{
    private const string FileName = "dummy weights";

    // The exponent of a block of four-bit elements, whose values are about 3: experts of a few thousand input features keep their size.
    private const byte SmallExponent = 127 - 7;

    private readonly HashSet<string> _bytes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (uint Key, float Scale)> _matrices = new(StringComparer.Ordinal);

    public IReadOnlyList<string> UnusedTensors => [];

    public bool IsMadeUp => true;

    public long[]? ShapeOf(string name) => null;

    public CheckpointTensor Find(string name, ReadOnlySpan<int> shape)
    {
        long count = 1;
        foreach (int size in shape)
        {
            count *= size;
        }

        if (shape.Length > 1)
        {
            // The variance of a uniform distribution over (-a, a) is a^2 / 3.
            _matrices[name] = (KeyOf(name), MathF.Sqrt(3f / shape[^1]));
        }

        return new CheckpointTensor(name, DType.BFloat16, FileName, 0, count * sizeof(ushort));
    }

    public CheckpointTensor FindBytes(string name, ReadOnlySpan<int> shape)
    {
        long count = 1;
        foreach (int size in shape)
        {
            count *= size;
        }

        _bytes.Add(name);
        return new CheckpointTensor(name, DType.Float8E4M3, FileName, 0, count);
    }

    public void Read(CheckpointTensor tensor, long offsetBytes, Span<byte> destination)
    {
        if (_bytes.Contains(tensor.Name))
        {
            FillBytes(tensor.Name, destination);
            return;
        }

        Span<ushort> elements = MemoryMarshal.Cast<byte, ushort>(destination);
        if (_matrices.TryGetValue(tensor.Name, out (uint Key, float Scale) matrix))
        {
            FillUniform(elements, matrix.Key, offsetBytes / sizeof(ushort), matrix.Scale);
        }
        else
        {
            elements.Fill(tensor.Name.EndsWith(".bias", StringComparison.Ordinal) ? (ushort)0 : ((BFloat16)1f).Bits);
        }
    }

    public void Dispose()
    {
    }

    // Four-bit elements of any code, whatever the place: they only have to differ.
    private static void FillBytes(string name, Span<byte> destination)
    {
        if (name.EndsWith("_scales", StringComparison.Ordinal))
        {
            destination.Fill(SmallExponent);
            return;
        }

        for (int i = 0; i < destination.Length; i++)
        {
            destination[i] = (byte)((uint)(i + 1) * 2_654_435_761 >> 24);
        }
    }

    // A hash of a counter: any part of a matrix can be made by any thread. Two bfloat16 values from each 32-bit hash.
    private static void FillUniform(Span<ushort> destination, uint key, long firstElement, float scale)
    {
        if ((firstElement & 1) != 0 && !destination.IsEmpty)
        {
            // The second value of a pair whose first is not asked for.
            Span<ushort> pair = stackalloc ushort[2];
            FillUniform(pair, key, firstElement - 1, scale);
            destination[0] = pair[1];
            destination = destination[1..];
            firstElement++;
        }

        uint start = (uint)(firstElement >> 1) + (uint)(firstElement >> 33) * 0x9E37_79B9;
        Vector256<uint> counter = Vector256.Create(start) + Vector256.Create(0u, 1, 2, 3, 4, 5, 6, 7);
        Vector256<float> unit = Vector256.Create(scale / 2_147_483_648f);
        Span<ushort> last = stackalloc ushort[Vector256<ushort>.Count];
        for (int index = 0; index < destination.Length; index += Vector256<ushort>.Count)
        {
            Vector256<ushort> values = ToPairs(Mix(counter ^ Vector256.Create(key)), unit).AsUInt16();
            counter += Vector256.Create(8u);
            Span<ushort> rest = destination[index..];
            if (rest.Length >= Vector256<ushort>.Count)
            {
                values.CopyTo(rest);
            }
            else
            {
                values.CopyTo(last);
                last[..rest.Length].CopyTo(rest);
            }
        }
    }

    private static Vector256<uint> Mix(Vector256<uint> x)
    {
        x ^= x >>> 16;
        x *= 0x7FEB_352D;
        x ^= x >>> 15;
        x *= 0x846C_A68B;
        return x ^ (x >>> 16);
    }

    // The upper halves of two floats side by side.
    private static Vector256<uint> ToPairs(Vector256<uint> random, Vector256<float> unit)
    {
        Vector256<uint> low = (Vector256.ConvertToSingle((random << 16).AsInt32()) * unit).AsUInt32();
        Vector256<uint> high = (Vector256.ConvertToSingle(random.AsInt32()) * unit).AsUInt32();
        return (low >>> 16) | (high & Vector256.Create(0xFFFF_0000u));
    }

    private uint KeyOf(string name)
    {
        // FNV-1a over the seed and the name.
        uint hash = 2_166_136_261;
        Span<byte> seedBytes = stackalloc byte[sizeof(long)];
        BitConverter.TryWriteBytes(seedBytes, seed);
        foreach (byte value in seedBytes)
        {
            hash = (hash ^ value) * 16_777_619;
        }

        foreach (byte value in Encoding.UTF8.GetBytes(name))
        {
            hash = (hash ^ value) * 16_777_619;
        }

        return hash;
    }
}

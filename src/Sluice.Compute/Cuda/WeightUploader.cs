using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Sluice.Compute.Ops;

namespace Sluice.Compute.Cuda;

/// <summary>
/// Brings rows of weights to the device while a model is loaded, for several threads at once. Each call borrows a lane: a stream with
/// two pinned buffers, one of which is filled (and converted) while the other is copied. Rows that lie in pinned memory already are
/// copied from where they are. A call returns when its rows are on the device.
/// </summary>
internal sealed unsafe class WeightUploader(CudaDevice device, PinnedRanges pinned) : IDisposable
{
    // Two of them hold a loader's chunk of 4 MiB: half of it is on its way while the other half is prepared.
    private const int BufferBytes = 2 << 20;

    private readonly ConcurrentBag<Lane> _free = [];
    private readonly ConcurrentBag<Lane> _all = [];

    public void Store(Weight weight, int firstRow, ReadOnlySpan<byte> source, DType sourceType)
    {
        long rowBytes = (long)weight.Columns * sourceType.SizeBytes();
        if (firstRow < 0 || source.Length % rowBytes != 0 || firstRow + (source.Length / rowBytes) > weight.Rows)
        {
            throw new ArgumentException(
                $"{source.Length} bytes from row {firstRow} on do not fit a weight of {weight.Rows} x {weight.Columns}.", nameof(source));
        }

        if (source.IsEmpty)
        {
            return;
        }

        device.MakeCurrent();
        nint destination = weight.Address + (nint)((long)firstRow * weight.Columns * weight.Type.SizeBytes());
        if (!_free.TryTake(out Lane? lane))
        {
            lane = new Lane(device);
            _all.Add(lane);
        }

        try
        {
            fixed (byte* data = source)
            {
                long elements = source.Length / sourceType.SizeBytes();
                if (sourceType == weight.Type && pinned.Contains((nint)data, source.Length))
                {
                    RequireFinite(data, elements, weight, firstRow, 0);
                    lane.Stream.CopyToDevice(destination, (nint)data, source.Length);
                }
                else
                {
                    Stage(lane, destination, data, sourceType, weight, elements, firstRow);
                }

                lane.Last.Record();
                lane.Last.Wait();
            }
        }
        finally
        {
            _free.Add(lane);
        }
    }

    /// <summary>Frees the pinned buffers: loading is over.</summary>
    public void Dispose()
    {
        _free.Clear();
        while (_all.TryTake(out Lane? lane))
        {
            lane.Dispose();
        }
    }

    private static void Stage(Lane lane, nint destination, byte* data, DType sourceType, Weight weight, long elements, int firstRow)
    {
        int elementBytes = weight.Type.SizeBytes();
        int sourceElementBytes = sourceType.SizeBytes();
        long perBuffer = BufferBytes / elementBytes;
        int turn = 0;
        for (long start = 0; start < elements; start += perBuffer, turn ^= 1)
        {
            long count = Math.Min(perBuffer, elements - start);
            byte* buffer = (byte*)lane.Buffers[turn].Address;
            lane.Copied[turn].Wait();
            byte* part = data + (start * sourceElementBytes);
            if (sourceType == weight.Type)
            {
                NativeMemory.Copy(part, buffer, (nuint)(count * elementBytes));
            }
            else
            {
                Elements.Convert(part, sourceType, buffer, weight.Type, count);
            }

            RequireFinite(buffer, count, weight, firstRow, start);
            lane.Stream.CopyToDevice(destination + (nint)(start * elementBytes), (nint)buffer, count * elementBytes);
            lane.Copied[turn].Record();
        }
    }

    // A bfloat16 or float32 value beyond 65504 becomes infinite in float16, and one such weight makes every answer of the model NaN.
    private static void RequireFinite(byte* elements, long count, Weight weight, int firstRow, long firstElement)
    {
        if (weight.Type != DType.Float16)
        {
            return;
        }

        ReadOnlySpan<ushort> bits = new(elements, checked((int)count));
        int index = FirstNotFinite(bits);
        if (index >= 0)
        {
            throw new InvalidDataException(
                $"Row {firstRow + ((firstElement + index) / weight.Columns)} of a weight holds a value beyond the range of float16; load it as bfloat16.");
        }
    }

    private static int FirstNotFinite(ReadOnlySpan<ushort> bits)
    {
        int i = 0;
        if (Vector256.IsHardwareAccelerated)
        {
            var exponent = Vector256.Create((ushort)0x7C00);
            ref ushort first = ref MemoryMarshal.GetReference(bits);
            for (; i <= bits.Length - 16; i += 16)
            {
                var values = Vector256.LoadUnsafe(ref first, (nuint)i);
                if (Vector256.EqualsAny(values & exponent, exponent))
                {
                    break;
                }
            }
        }

        for (; i < bits.Length; i++)
        {
            if ((bits[i] & 0x7C00) == 0x7C00)
            {
                return i;
            }
        }

        return -1;
    }

    private sealed class Lane : IDisposable
    {
        public Lane(CudaDevice device)
        {
            Stream = new CudaStream(device);
            for (int i = 0; i < 2; i++)
            {
                Buffers[i] = new PinnedMemory(device, BufferBytes, "loading weights");
                Copied[i] = new CudaEvent(device, Stream);
            }

            Last = new CudaEvent(device, Stream);
        }

        public CudaStream Stream { get; }

        public PinnedMemory[] Buffers { get; } = new PinnedMemory[2];

        public CudaEvent[] Copied { get; } = new CudaEvent[2];

        public CudaEvent Last { get; }

        public void Dispose()
        {
            Last.Dispose();
            for (int i = 0; i < 2; i++)
            {
                Copied[i].Dispose();
                Buffers[i].Dispose();
            }

            Stream.Dispose();
        }
    }
}

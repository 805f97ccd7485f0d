using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sluice.Compute.Cpu;

/// <summary>
/// What the machine can do at most, measured with all threads: reading main memory and float32 fused multiply-adds. These are the
/// two limits that decoding and prompt processing are compared with. Owns its threads and its memory.
/// </summary>
internal sealed unsafe class MachineMeasurement : IDisposable
{
    private const int Streams = 8;
    private const long PartBytes = 4 << 20;
    private const int FmaRounds = 200_000;
    private const int FmaChains = 12;

    private readonly CpuMemory _memory = new();
    private readonly WorkerPool _pool;
    private readonly ulong* _buffer;
    private readonly int _partCount;

    /// <param name="threads">By default one for each processor that this process may use.</param>
    /// <param name="bufferBytes">Memory to read; less where the machine has little.</param>
    public MachineMeasurement(int? threads = null, long bufferBytes = 1L << 30)
    {
        _pool = new WorkerPool(threads ?? Environment.ProcessorCount);
        long bytes = Math.Min(bufferBytes, SystemMemory.Read().AvailableBytes / 4) / PartBytes * PartBytes;
        _partCount = (int)Math.Max(bytes / PartBytes, 1);
        _buffer = (ulong*)_memory.Allocate(_partCount * PartBytes, "measuring memory bandwidth");
        FillJob fill = new() { Buffer = (byte*)_buffer };
        _pool.Run(ref fill, _partCount);
    }

    /// <summary>Threads that take part.</summary>
    public int Threads => _pool.Threads;

    /// <summary>Name of the vectors in use, such as <c>AVX-512</c>.</summary>
    public static string Vectors => Avx512F.IsSupported ? "AVX-512" : Fma.IsSupported ? "AVX2" : "128 bits";

    /// <summary>Bytes a second that all threads read from a buffer far larger than the caches, best of <paramref name="rounds"/>.</summary>
    public double MeasureReadBandwidth(int rounds = 3)
    {
        double best = 0;
        for (int round = 0; round < rounds; round++)
        {
            ReadJob job = new() { Buffer = (byte*)_buffer };
            long start = Stopwatch.GetTimestamp();
            _pool.Run(ref job, _partCount);
            best = Math.Max(best, _partCount * PartBytes / Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return best;
    }

    /// <summary>Floating-point operations a second (two each multiply-add) of all threads, best of <paramref name="rounds"/>.</summary>
    public double MeasureFmaPeak(int rounds = 3)
    {
        double best = 0;
        int parts = Threads * 4;
        for (int round = 0; round < rounds; round++)
        {
            FmaJob job = new() { Result = (float*)_buffer };
            long start = Stopwatch.GetTimestamp();
            _pool.Run(ref job, parts);
            double operations = 2.0 * FmaChains * (Avx512F.IsSupported ? 16 : 8) * FmaRounds * parts;
            best = Math.Max(best, operations / Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return best;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _pool.Dispose();
        _memory.Dispose();
    }

    private struct FillJob : IParallelJob
    {
        public byte* Buffer;

        // Pages that were never written may all be the one zero page.
        public readonly void Execute(int index, int thread) => new Span<byte>(Buffer + (index * PartBytes), (int)PartBytes).Fill(1);
    }

    private struct ReadJob : IParallelJob
    {
        public byte* Buffer;

        public readonly void Execute(int index, int thread)
        {
            byte* part = Buffer + (index * PartBytes);
            const long StreamBytes = PartBytes / Streams;
            Vector256<ulong> sum0 = Vector256<ulong>.Zero;
            Vector256<ulong> sum1 = Vector256<ulong>.Zero;
            for (long i = 0; i < StreamBytes; i += 64)
            {
                for (int stream = 0; stream < Streams; stream += 2)
                {
                    byte* first = part + (stream * StreamBytes) + i;
                    byte* second = first + StreamBytes;
                    sum0 += Vector256.Load((ulong*)first) ^ Vector256.Load((ulong*)(first + 32));
                    sum1 += Vector256.Load((ulong*)second) ^ Vector256.Load((ulong*)(second + 32));
                }
            }

            Keep(sum0 + sum1);
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static void Keep(Vector256<ulong> value) => _ = value;
    }

    private struct FmaJob : IParallelJob
    {
        public float* Result;

        public readonly void Execute(int index, int thread)
        {
            if (Avx512F.IsSupported)
            {
                Run512(Result + (index * 16));
            }
            else
            {
                Run256(Result + (index * 16));
            }
        }

        private static void Run512(float* result)
        {
            Vector512<float> x = Vector512.Create(0.999f);
            Vector512<float> y = Vector512.Create(0.001f);
            Vector512<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
            for (int round = 0; round < FmaRounds; round++)
            {
                a = Vector512.FusedMultiplyAdd(a, x, y);
                b = Vector512.FusedMultiplyAdd(b, x, y);
                c = Vector512.FusedMultiplyAdd(c, x, y);
                d = Vector512.FusedMultiplyAdd(d, x, y);
                e = Vector512.FusedMultiplyAdd(e, x, y);
                f = Vector512.FusedMultiplyAdd(f, x, y);
                g = Vector512.FusedMultiplyAdd(g, x, y);
                h = Vector512.FusedMultiplyAdd(h, x, y);
                i = Vector512.FusedMultiplyAdd(i, x, y);
                j = Vector512.FusedMultiplyAdd(j, x, y);
                k = Vector512.FusedMultiplyAdd(k, x, y);
                l = Vector512.FusedMultiplyAdd(l, x, y);
            }

            (a + b + c + d + e + f + g + h + i + j + k + l).Store(result);
        }

        private static void Run256(float* result)
        {
            Vector256<float> x = Vector256.Create(0.999f);
            Vector256<float> y = Vector256.Create(0.001f);
            Vector256<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
            for (int round = 0; round < FmaRounds; round++)
            {
                a = Vector256.FusedMultiplyAdd(a, x, y);
                b = Vector256.FusedMultiplyAdd(b, x, y);
                c = Vector256.FusedMultiplyAdd(c, x, y);
                d = Vector256.FusedMultiplyAdd(d, x, y);
                e = Vector256.FusedMultiplyAdd(e, x, y);
                f = Vector256.FusedMultiplyAdd(f, x, y);
                g = Vector256.FusedMultiplyAdd(g, x, y);
                h = Vector256.FusedMultiplyAdd(h, x, y);
                i = Vector256.FusedMultiplyAdd(i, x, y);
                j = Vector256.FusedMultiplyAdd(j, x, y);
                k = Vector256.FusedMultiplyAdd(k, x, y);
                l = Vector256.FusedMultiplyAdd(l, x, y);
            }

            (a + b + c + d + e + f + g + h + i + j + k + l).Store(result);
        }
    }
}

using Sluice.Compute;
using Sluice.Compute.Cpu;

namespace Sluice.MicroBench;

/// <summary>Values for benchmarks: small, of both signs, without subnormal numbers.</summary>
internal static class MadeUp
{
    public static void Fill(CpuBackend backend, Weight weight)
    {
        byte[] row = new byte[weight.Columns * 2];
        for (int i = 0; i < weight.Columns; i++)
        {
            BitConverter.TryWriteBytes(row.AsSpan(i * 2), ((BFloat16)(((i * 7 % 31) - 15) / 512f)).Bits);
        }

        for (int i = 0; i < weight.Rows; i++)
        {
            backend.UploadRows(weight, i, row, DType.BFloat16);
        }
    }
}

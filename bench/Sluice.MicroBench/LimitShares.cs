using System.Diagnostics;
using System.Globalization;
using Sluice.Compute;
using Sluice.Compute.Cpu;

namespace Sluice.MicroBench;

/// <summary>
/// Linear layers of a 1.1-billion-parameter Llama beside the limits of the machine. A limit is measured right before and after each
/// sample, so that a share holds although other programs use the machine; the median share of all samples is printed.
/// </summary>
internal static class LimitShares
{
    private const int Samples = 7;

    private static readonly (int Outputs, int Inputs)[] Shapes = [(2560, 2048), (2048, 2048), (11264, 2048), (2048, 5632), (32000, 2048)];

    public static void Run(string filter)
    {
        using MachineMeasurement machine = new();
        Console.WriteLine($"{machine.Threads} threads, {MachineMeasurement.Vectors}");
        Console.WriteLine($"read {machine.MeasureReadBandwidth() / 1e9:0.0} GB/s, FMA {machine.MeasureFmaPeak() / 1e9:0} GFLOP/s");
        foreach (DType type in new[] { DType.BFloat16, DType.Float16, DType.Float8E4M3, DType.Float32 })
        {
            foreach (int rows in new[] { 1, 2, 4, 8, 16, 64, 512 })
            {
                foreach ((int outputs, int inputs) in Shapes)
                {
                    string name = $"{type.Name()} {rows} x {inputs} x {outputs}";
                    if (name.Contains(filter, StringComparison.Ordinal) && !(outputs == 32000 && rows > 16))
                    {
                        Console.WriteLine(Measure(machine, name, type, rows, outputs, inputs));
                    }
                }
            }
        }
    }

    private static string Measure(
        MachineMeasurement machine, string name, DType type, int rows, int outputs, int inputs)
    {
        using CpuBackend backend = new(machine.Threads);

        // Copies in turn, so that a matrix comes from memory and not from a cache.
        Weight[] weights = new Weight[Math.Max(1, (int)(rows >= 64 ? 1 : (300L << 20) / ((long)outputs * inputs * type.SizeBytes())))];
        for (int i = 0; i < weights.Length; i++)
        {
            weights[i] = backend.AllocateWeight(outputs, inputs, type);
            MadeUp.Fill(backend, weights[i]);
        }

        Tensor input = backend.Allocate(rows, inputs, DType.Float32);
        float[] values = new float[rows * inputs];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (i % 13) - 6;
        }

        backend.Upload<float>(input, values);
        Tensor output = backend.Allocate(rows, outputs, DType.Float32);
        double bytes = (double)outputs * inputs * type.SizeBytes();
        double operations = 2.0 * rows * outputs * inputs;
        List<double> bandwidthShares = [];
        List<double> computeShares = [];
        double best = double.MaxValue;
        for (int sample = -2; sample < Samples; sample++)
        {
            double read = machine.MeasureReadBandwidth(1);
            double peak = machine.MeasureFmaPeak(1);
            long passStart = Stopwatch.GetTimestamp();
            for (int i = 0; i < weights.Length; i++)
            {
                backend.Linear(output, input, weights[i], null);
            }

            double seconds = Stopwatch.GetElapsedTime(passStart).TotalSeconds / weights.Length;
            read = Math.Max(read, machine.MeasureReadBandwidth(1));
            peak = Math.Max(peak, machine.MeasureFmaPeak(1));
            if (sample >= 0)
            {
                bandwidthShares.Add(bytes / seconds / read);
                computeShares.Add(operations / seconds / peak);
                best = Math.Min(best, seconds);
            }
        }

        return string.Create(
            CultureInfo.InvariantCulture,
            $"{name,-30} {best * 1e6,9:0} us  {bytes / best / 1e9,6:0.0} GB/s {Median(bandwidthShares),5:P0} of read   {operations / best / 1e9,6:0} GFLOP/s {Median(computeShares),5:P0} of FMA");
    }

    private static double Median(List<double> values)
    {
        values.Sort();
        return values[values.Count / 2];
    }
}

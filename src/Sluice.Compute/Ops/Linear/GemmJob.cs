using System.Numerics.Tensors;
using Sluice.Compute.Cpu;

namespace Sluice.Compute.Ops.Linear;

/// <summary>A group of panels of a linear layer, for all rows of a block.</summary>
internal unsafe struct GemmJob<TFormat> : IParallelJob
    where TFormat : unmanaged, IPanelFormat
{
    public nint* ThreadScratch;
    public float* Packed;
    public byte* Weights;
    public long PanelBytes;
    public float* Output;
    public long OutputRowStride;
    public float* Bias;
    public int Rows;
    public int OutFeatures;
    public int KCount;
    public int KBlock;
    public int GroupPanels;
    public int PanelStep;

    public readonly void Execute(int index, int thread)
    {
        int first = index * GroupPanels;
        int fullPanels = OutFeatures / PackedWeight.PanelRows;
        int last = Math.Min(first + GroupPanels, fullPanels);
        if (last > first)
        {
            float* output = Output + ((long)first * PackedWeight.PanelRows);
            Multiply(first, last, output, OutputRowStride);
            AddBias(output, OutputRowStride, first, (last - first) * PackedWeight.PanelRows);
        }

        int partial = OutFeatures % PackedWeight.PanelRows;
        if (partial != 0 && first + GroupPanels > fullPanels)
        {
            // A tile stores whole panels: the padding of the last one must not reach the output.
            float* whole = (float*)ThreadScratch[thread];
            Multiply(fullPanels, fullPanels + 1, whole, PackedWeight.PanelRows);
            AddBias(whole, PackedWeight.PanelRows, fullPanels, partial);
            for (int row = 0; row < Rows; row++)
            {
                new ReadOnlySpan<float>(whole + ((long)row * PackedWeight.PanelRows), partial).CopyTo(
                    new Span<float>(Output + (row * OutputRowStride) + ((long)fullPanels * PackedWeight.PanelRows), partial));
            }
        }
    }

    private readonly void Multiply(int firstPanel, int lastPanel, float* output, long outputRowStride)
    {
        TileCall call = new()
        {
            PanelStride = (nint)PanelBytes,
            OutputRowStride = (nint)outputRowStride,
            OutputPanelStride = PackedWeight.PanelRows,
        };
        for (int k = 0; k < KCount; k += KBlock)
        {
            call.KCount = Math.Min(KBlock, KCount - k);
            call.Accumulate = k > 0;
            for (int step = firstPanel; step < lastPanel; step += PanelStep)
            {
                int stepEnd = Math.Min(step + PanelStep, lastPanel);
                for (int row = 0; row < Rows;)
                {
                    int tileRows = Tiles.RowsFor(Rows - row);
                    int tilePanels = Tiles.PanelsFor(tileRows);
                    call.Rows = Math.Min(tileRows, Rows - row);
                    call.Input = Packed + ((long)row * KCount) + ((long)k * tileRows);
                    for (int panel = step; panel < stepEnd; panel += tilePanels)
                    {
                        call.Panels = Math.Min(tilePanels, stepEnd - panel);
                        call.Panel = Weights + (panel * PanelBytes) + ((long)(k / 2) * TFormat.PairBytes);
                        call.Output = output + (row * outputRowStride) + ((long)(panel - firstPanel) * PackedWeight.PanelRows);
                        Tiles.Run<TFormat, PackedInput>(in call, tileRows);
                    }

                    row += tileRows;
                }
            }
        }
    }

    private readonly void AddBias(float* output, long rowStride, int firstPanel, int count)
    {
        if (Bias == null)
        {
            return;
        }

        ReadOnlySpan<float> bias = new(Bias + ((long)firstPanel * PackedWeight.PanelRows), count);
        for (int row = 0; row < Rows; row++)
        {
            Span<float> values = new(output + (row * rowStride), count);
            TensorPrimitives.Add(values, bias, values);
        }
    }
}

using System.Numerics.Tensors;
using System.Runtime.Intrinsics;
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
    public int RowBlock;
    public int GroupPanels;
    public int PanelStep;

    /// <summary>Panels are widened to float32 in the thread's scratch memory before rows use them.</summary>
    public bool Widen;

    /// <summary>Scratch memory for that.</summary>
    public int WidenedFloats;

    public readonly void Execute(int index, int thread)
    {
        float* scratch = (float*)ThreadScratch[thread];
        int first = index * GroupPanels;
        int fullPanels = OutFeatures / PackedWeight.PanelRows;
        int last = Math.Min(first + GroupPanels, fullPanels);
        if (last > first)
        {
            float* output = Output + ((long)first * PackedWeight.PanelRows);
            Multiply(first, last, output, OutputRowStride, scratch);
            AddBias(output, OutputRowStride, first, (last - first) * PackedWeight.PanelRows);
        }

        int partial = OutFeatures % PackedWeight.PanelRows;
        if (partial != 0 && first + GroupPanels > fullPanels)
        {
            // A tile stores whole panels: the padding of the last one must not reach the output.
            float* whole = scratch + WidenedFloats;
            Multiply(fullPanels, fullPanels + 1, whole, PackedWeight.PanelRows, scratch);
            AddBias(whole, PackedWeight.PanelRows, fullPanels, partial);
            for (int row = 0; row < Rows; row++)
            {
                new ReadOnlySpan<float>(whole + ((long)row * PackedWeight.PanelRows), partial).CopyTo(
                    new Span<float>(Output + (row * OutputRowStride) + ((long)fullPanels * PackedWeight.PanelRows), partial));
            }
        }
    }

    private readonly void Multiply(int firstPanel, int lastPanel, float* output, long outputRowStride, float* widened)
    {
        TileCall call = new()
        {
            OutputRowStride = (nint)outputRowStride,
            OutputPanelStride = PackedWeight.PanelRows,
        };
        for (int firstRow = 0, lastRow; firstRow < Rows; firstRow = lastRow)
        {
            // Blocks end where tiles end: the last tiles before the end of the rows may be shorter than the others.
            lastRow = firstRow;
            while (lastRow < Math.Min(firstRow + RowBlock, Rows))
            {
                lastRow += Tiles.RowsFor(Rows - lastRow);
            }

            for (int k = 0; k < KCount; k += KBlock)
            {
                call.KCount = Math.Min(KBlock, KCount - k);
                call.Accumulate = k > 0;
                for (int step = firstPanel; step < lastPanel; step += PanelStep)
                {
                    int count = Math.Min(PanelStep, lastPanel - step);
                    byte* panels = Weights + (step * PanelBytes) + FirstOffset(k);
                    call.Output = output + ((long)(step - firstPanel) * PackedWeight.PanelRows);
                    if (Widen)
                    {
                        call.PanelStride = (nint)PackedWeight.PanelBytes(KBlock, DType.Float32);
                        for (int panel = 0; panel < count; panel++)
                        {
                            WidenPanel(panels + (panel * PanelBytes), call.KCount, (byte*)widened + (panel * call.PanelStride));
                        }

                        MultiplyRows<Float32Panel>(ref call, (byte*)widened, count, firstRow, lastRow, k);
                    }
                    else
                    {
                        call.PanelStride = (nint)PanelBytes;
                        MultiplyRows<TFormat>(ref call, panels, count, firstRow, lastRow, k);
                    }
                }
            }
        }
    }

    private readonly void MultiplyRows<TStored>(ref TileCall call, byte* panels, int panelCount, int firstRow, int lastRow, int k)
        where TStored : struct, IPanelFormat
    {
        float* output = call.Output;
        for (int row = firstRow; row < lastRow;)
        {
            int tileRows = Tiles.RowsFor(Rows - row);
            int tilePanels = Tiles.PanelsFor(tileRows);
            call.Rows = Math.Min(tileRows, Rows - row);
            call.Input = Packed + ((long)row * KCount) + ((long)k * tileRows);
            for (int panel = 0; panel < panelCount; panel += tilePanels)
            {
                call.Panels = Math.Min(tilePanels, panelCount - panel);
                call.Panel = panels + (panel * call.PanelStride);
                call.Output = output + (row * call.OutputRowStride) + (panel * PackedWeight.PanelRows);
                Tiles.Run<TStored, PackedInput>(in call, tileRows);
            }

            row += tileRows;
        }
    }

    // Tiles begin with the scales of a group where there are any.
    private static nint FirstOffset(int k) => TFormat.ScaleBytes > 0 ? TFormat.GroupOffset(k) : TFormat.PairOffset(k);

    private static void WidenPanel(byte* panel, int kCount, byte* widened)
    {
        for (int pairs = (kCount + 1) / 2; pairs > 0; pairs -= TFormat.GroupPairs)
        {
            Vector256<float> lower = TFormat.Scale256(panel), upper = TFormat.Scale256(panel + TFormat.UpperScaleBytes);
            panel += TFormat.ScaleBytes;
            for (int pair = Math.Min(pairs, TFormat.GroupPairs); pair > 0; pair--)
            {
                TFormat.Even256(panel, lower).Store((float*)widened);
                TFormat.Even256(panel + TFormat.UpperBytes, upper).Store((float*)widened + 8);
                TFormat.Odd256(panel, lower).Store((float*)widened + 16);
                TFormat.Odd256(panel + TFormat.UpperBytes, upper).Store((float*)widened + 24);
                panel += TFormat.PairBytes;
                widened += Float32Panel.PairBytes;
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

using System.Runtime.Intrinsics.X86;
using Sluice.Compute.Ops.Linear;

namespace Sluice.Compute.Tests.Ops.Linear;

/// <summary>Both widths of tiles on every machine that has them, whichever the backend would choose.</summary>
public sealed unsafe class TilesTests
{
    private const int Rows = 12;
    private const int Panels = 4;
    private const int Lanes = PackedWeight.PanelRows;

    public static TheoryData<bool, DType, int, int> Tiles()
    {
        TheoryData<bool, DType, int, int> data = [];
        foreach (DType type in new[] { DType.Float32, DType.Float16, DType.BFloat16, DType.Float8E4M3 })
        {
            foreach (int kCount in new[] { 1, 2, 17, 64, 129, 300 })
            {
                foreach (int rows in new[] { 1, 2, 4, 6 })
                {
                    data.Add(false, type, rows, kCount);
                }

                foreach (int rows in new[] { 1, 2, 4, 8, 12 })
                {
                    data.Add(true, type, rows, kCount);
                }
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Tiles))]
    public void Tile_AnyRowsAndPanels_ContinuesTheChainsAndStoresNothingElse(bool wide, DType type, int tileRows, int kCount)
    {
        Assert.SkipWhen(wide && !Avx512F.IsSupported, "This machine has no AVX-512.");
        using TestTensors tensors = new(seed: (tileRows * 100) + kCount);
        (Weight weight, float[] values) = tensors.RandomWeight(Panels * Lanes, kCount, type);
        Tensor packed = tensors.Random(kCount, tileRows);
        int mostPanels = tileRows == 1 ? 4 : wide || tileRows == 2 ? 2 : 1;
        for (int panels = 1; panels <= mostPanels; panels++)
        {
            foreach (int rows in new[] { tileRows, Math.Max(1, tileRows - 1) })
            {
                Tensor before = tensors.Random(Rows, Panels * Lanes);
                Tensor actual = tensors.Copy(before);
                TileCall call = new()
                {
                    Input = (float*)packed.Address,
                    Panel = (byte*)weight.Address,
                    PanelStride = (nint)PackedWeight.PanelBytes(kCount, type),
                    KCount = kCount,
                    Output = (float*)actual.Address,
                    OutputRowStride = Panels * Lanes,
                    OutputPanelStride = Lanes,
                    Rows = rows,
                    Panels = panels,
                    Accumulate = rows == tileRows,
                };
                Run(in call, wide, type, tileRows);
                for (int row = 0; row < Rows; row++)
                {
                    for (int feature = 0; feature < Panels * Lanes; feature++)
                    {
                        float expected = TestTensors.Row(before, row)[feature];
                        if (row < rows && feature < panels * Lanes)
                        {
                            expected = call.Accumulate ? expected : 0;
                            for (int k = 0; k < kCount; k++)
                            {
                                expected = MathF.FusedMultiplyAdd(TestTensors.Row(packed, k)[row], values[(feature * kCount) + k], expected);
                            }
                        }

                        Assert.Equal(expected, TestTensors.Row(actual, row)[feature]);
                    }
                }
            }
        }
    }

    private static void Run(in TileCall call, bool wide, DType type, int tileRows)
    {
        switch (type)
        {
            case DType.Float32:
                Run<Float32Panel>(in call, wide, tileRows);
                break;
            case DType.Float8E4M3:
                Run<Float8Panel>(in call, wide, tileRows);
                break;
            case DType.Float16:
                Run<Float16Panel>(in call, wide, tileRows);
                break;
            default:
                Run<BFloat16Panel>(in call, wide, tileRows);
                break;
        }
    }

    private static void Run<TFormat>(in TileCall call, bool wide, int tileRows)
        where TFormat : struct, IPanelFormat
    {
        if (wide)
        {
            Sluice.Compute.Ops.Linear.Tiles.Run512<TFormat, PackedInput>(in call, tileRows);
        }
        else
        {
            Sluice.Compute.Ops.Linear.Tiles.Run256<TFormat, PackedInput>(in call, tileRows);
        }
    }
}

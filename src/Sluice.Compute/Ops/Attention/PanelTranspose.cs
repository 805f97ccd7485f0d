using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Sluice.Compute.Ops.Linear;

namespace Sluice.Compute.Ops.Attention;

/// <summary>
/// Widens 16 elements of up to 16 lanes of a panel and turns them: a lane's elements side by side. For types of the cache, which have no
/// scales.
/// </summary>
internal static unsafe class PanelTranspose
{
    private const int Lanes = PackedWeight.PanelRows;
    private const int HalfBytes = 32;

    /// <param name="panel">The pair of the first element.</param>
    /// <param name="laneCount">Lanes to turn: 1, 2, 4, 8 or 16.</param>
    /// <param name="destination">[laneCount, 16].</param>
    public static void Run<TFormat>(byte* panel, int laneCount, float* destination)
        where TFormat : unmanaged, IPanelFormat
    {
        if (laneCount < Vector256<float>.Count)
        {
            TurnFew<TFormat>(panel, laneCount, destination);
            return;
        }

        for (int lane = 0; lane < laneCount; lane += Vector256<float>.Count, panel += HalfBytes)
        {
            TurnEight<TFormat>(panel, destination + (lane * Lanes));
            TurnEight<TFormat>(panel + (Vector256<float>.Count / 2 * TFormat.PairBytes), destination + (lane * Lanes) + Vector256<float>.Count);
        }
    }

    private static void TurnFew<TFormat>(byte* panel, int laneCount, float* destination)
        where TFormat : unmanaged, IPanelFormat
    {
        for (int element = 0; element < Lanes; element += 2, panel += TFormat.PairBytes)
        {
            Vector256<float> even = TFormat.Even256(panel, default);
            Vector256<float> odd = TFormat.Odd256(panel, default);
            for (int lane = 0; lane < laneCount; lane++)
            {
                destination[(lane * Lanes) + element] = even.GetElement(lane);
                destination[(lane * Lanes) + element + 1] = odd.GetElement(lane);
            }
        }
    }

    /// <summary>Eight elements of eight lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TurnEight<TFormat>(byte* panel, float* destination)
        where TFormat : unmanaged, IPanelFormat
    {
        if (!Avx.IsSupported)
        {
            for (int pair = 0; pair < 4; pair++, panel += TFormat.PairBytes)
            {
                Vector256<float> even = TFormat.Even256(panel, default);
                Vector256<float> odd = TFormat.Odd256(panel, default);
                for (int lane = 0; lane < Vector256<float>.Count; lane++)
                {
                    destination[(lane * Lanes) + (2 * pair)] = even.GetElement(lane);
                    destination[(lane * Lanes) + (2 * pair) + 1] = odd.GetElement(lane);
                }
            }

            return;
        }

        // Elements 2p and 2p + 1 of lanes 0 1 4 5, and of lanes 2 3 6 7.
        (Vector256<float> low0, Vector256<float> high0) = Zip<TFormat>(panel);
        (Vector256<float> low1, Vector256<float> high1) = Zip<TFormat>(panel + TFormat.PairBytes);
        (Vector256<float> low2, Vector256<float> high2) = Zip<TFormat>(panel + (2 * TFormat.PairBytes));
        (Vector256<float> low3, Vector256<float> high3) = Zip<TFormat>(panel + (3 * TFormat.PairBytes));
        Store(low0, low1, low2, low3, destination);
        Store(high0, high1, high2, high3, destination + (2 * Lanes));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<float> Low, Vector256<float> High) Zip<TFormat>(byte* pair)
        where TFormat : unmanaged, IPanelFormat
    {
        Vector256<float> even = TFormat.Even256(pair, default);
        Vector256<float> odd = TFormat.Odd256(pair, default);
        return (Avx.UnpackLow(even, odd), Avx.UnpackHigh(even, odd));
    }

    /// <summary>Stores lanes 0, 1, 4 and 5 from <paramref name="destination"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector256<float> first, Vector256<float> second, Vector256<float> third, Vector256<float> fourth, float* destination)
    {
        // Each 64-bit half of 128 bits is a pair of elements of one lane.
        Vector256<float> lanes04First = Avx.UnpackLow(first.AsDouble(), second.AsDouble()).AsSingle();
        Vector256<float> lanes15First = Avx.UnpackHigh(first.AsDouble(), second.AsDouble()).AsSingle();
        Vector256<float> lanes04Second = Avx.UnpackLow(third.AsDouble(), fourth.AsDouble()).AsSingle();
        Vector256<float> lanes15Second = Avx.UnpackHigh(third.AsDouble(), fourth.AsDouble()).AsSingle();
        Avx.Permute2x128(lanes04First, lanes04Second, 0x20).Store(destination);
        Avx.Permute2x128(lanes15First, lanes15Second, 0x20).Store(destination + Lanes);
        Avx.Permute2x128(lanes04First, lanes04Second, 0x31).Store(destination + (4 * Lanes));
        Avx.Permute2x128(lanes15First, lanes15Second, 0x31).Store(destination + (5 * Lanes));
    }
}

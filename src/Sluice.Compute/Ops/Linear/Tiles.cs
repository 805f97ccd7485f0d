using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Sluice.Compute.Ops.Linear;

/// <summary>Chooses register tiles for the vectors of this machine; the checks are constants to the compiler.</summary>
internal static class Tiles
{
    private const int PrefetchBytes = 2048;
    private const int CacheLineBytes = 64;

    /// <summary>Most rows of a tile.</summary>
    public static int MaxRows => Avx512F.IsSupported ? 12 : 6;

    /// <summary>Rows of the next tile when <paramref name="remaining"/> are left; a tile may have more rows than are left.</summary>
    public static int RowsFor(int remaining)
    {
        if (Avx512F.IsSupported)
        {
            return remaining switch
            {
                1 => 1,
                2 => 2,
                <= 4 => 4,
                <= 8 => 8,
                <= 12 => 12,
                <= 16 => 8,
                _ => 12,
            };
        }

        return remaining switch
        {
            1 => 1,
            2 => 2,
            <= 4 => 4,
            <= 6 => 6,
            <= 8 => 4,
            _ => 6,
        };
    }

    /// <summary>Panels that a tile of <paramref name="tileRows"/> rows takes at once, when they are equally far apart.</summary>
    public static int PanelsFor(int tileRows) => tileRows switch
    {
        1 => 4,
        2 => 2,
        _ => Avx512F.IsSupported ? 2 : 1,
    };

    /// <summary>Computes a tile of <paramref name="tileRows"/> rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Run<TFormat, TInput>(in TileCall call, int tileRows)
        where TFormat : struct, IPanelFormat
        where TInput : struct, ITileInput
    {
        if (Avx512F.IsSupported)
        {
            Run512<TFormat, TInput>(in call, tileRows);
        }
        else
        {
            Run256<TFormat, TInput>(in call, tileRows);
        }
    }

    /// <summary>
    /// Asks for the part of a panel that a tile of several rows needs about 500 cycles later: those tiles use a line so long that the
    /// hardware's prefetchers fall behind. Measured on Zen 4, K = 2048, panels from memory: AVX2 8 rows 77 -> 89 GFLOP/s a core, 16 rows
    /// 85 -> 105; AVX-512 8 rows 98 -> 102. With one row, when memory is the limit, it costs up to a fifth.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Prefetch<TFormat>(byte* pair)
        where TFormat : struct, IPanelFormat
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(pair + PrefetchBytes);
            if (TFormat.PairBytes > CacheLineBytes)
            {
                Sse.Prefetch0(pair + PrefetchBytes + CacheLineBytes);
            }
        }
    }

    internal static void Run512<TFormat, TInput>(in TileCall call, int tileRows)
        where TFormat : struct, IPanelFormat
        where TInput : struct, ITileInput
    {
        switch (tileRows)
        {
            case 1 when call.Panels <= 2:
                Tiles512.Tile1x2<TFormat, TInput>(in call);
                break;
            case 1:
                Tiles512.Tile1x4<TFormat, TInput>(in call);
                break;
            case 2:
                Tiles512.Tile2x2<TFormat, TInput>(in call);
                break;
            case 4:
                Tiles512.Tile4x2<TFormat, TInput>(in call);
                break;
            case 8:
                Tiles512.Tile8x2<TFormat, TInput>(in call);
                break;
            default:
                Tiles512.Tile12x2<TFormat, TInput>(in call);
                break;
        }
    }

    internal static void Run256<TFormat, TInput>(in TileCall call, int tileRows)
        where TFormat : struct, IPanelFormat
        where TInput : struct, ITileInput
    {
        switch (tileRows)
        {
            case 1 when call.Panels <= 2:
                Tiles256.Tile1x2<TFormat, TInput>(in call);
                break;
            case 1:
                Tiles256.Tile1x4<TFormat, TInput>(in call);
                break;
            case 2:
                Tiles256.Tile2x2<TFormat, TInput>(in call);
                break;
            case 4:
                Tiles256.Tile4x1<TFormat, TInput>(in call);
                break;
            default:
                Tiles256.Tile6x1<TFormat, TInput>(in call);
                break;
        }
    }
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Sluice.Compute.Ops.Linear;

/// <summary>Chooses register tiles for the vectors of this machine; the checks are constants to the compiler.</summary>
internal static class Tiles
{
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

using System.Runtime.CompilerServices;

namespace Sluice.Compute.Ops.Linear;

/// <summary>
/// One register tile: up to a tile's rows of input times up to a tile's panels of 16 output features over a range of k.
/// Rows and panels that the tile has beyond <see cref="Rows"/> and <see cref="Panels"/> are computed from what is there and
/// not stored; their input must be readable.
/// </summary>
internal unsafe struct TileCall
{
    /// <summary>Input, laid out as the tile's <see cref="ITileInput"/> says.</summary>
    public float* Input;

    /// <summary>First pair of k of the first panel.</summary>
    public byte* Panel;

    /// <summary>Bytes from a panel to the next; may be negative.</summary>
    public nint PanelStride;

    /// <summary>Steps of k.</summary>
    public int KCount;

    /// <summary>Element (0, 0) of the result.</summary>
    public float* Output;

    /// <summary>Elements from a row of the result to the next.</summary>
    public nint OutputRowStride;

    /// <summary>Elements from the result of a panel to that of the next.</summary>
    public nint OutputPanelStride;

    /// <summary>Rows to store.</summary>
    public int Rows;

    /// <summary>Panels to store.</summary>
    public int Panels;

    /// <summary>Continue the chains of a stored result, else start at zero.</summary>
    public bool Accumulate;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float* OutputAt(int row, int panel) => Output + (row * OutputRowStride) + (panel * OutputPanelStride);

    /// <summary>Byte offset of a panel; panels that are not there read the first one again.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly nint StrideOf(int panel) => panel < Panels ? panel * PanelStride : 0;
}

/// <summary>Where a tile finds the input of a row and a k; constants to the compiler.</summary>
internal interface ITileInput
{
    /// <summary>Element offset of (row, k) in a tile of <paramref name="tileRows"/> rows.</summary>
    static abstract int At(int row, int k, int tileRows);
}

/// <summary>The rows of a tile side by side for each k.</summary>
internal readonly struct PackedInput : ITileInput
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int At(int row, int k, int tileRows) => (k * tileRows) + row;
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sluice.Compute.Ops.Linear;

/// <summary>
/// Four-bit elements with a power of two for each 32 of a row: groups of 32 k, each 16 exponents, one a feature, then a byte for every
/// feature and pair of k with the even k in the lower half. The magnitude is looked up, which costs one instruction; the product with
/// the scale is exact. The smallest exponent, 2^-127, counts as zero.
/// </summary>
internal readonly unsafe struct Float4Panel : IPanelFormat
{
    /// <summary>Steps of k that share a scale.</summary>
    public const int GroupColumns = 32;

    /// <summary>Bytes of a group.</summary>
    public const int GroupBytes = PackedWeight.PanelRows + (GroupColumns / 2 * PackedWeight.PanelRows);

    private const int ExponentShift = 23;
    private const int LanesBytes = 8;

    public static int PairBytes => PackedWeight.PanelRows;

    public static int UpperBytes => LanesBytes;

    public static int UpperScaleBytes => LanesBytes;

    public static int GroupPairs => GroupColumns / 2;

    public static int ScaleBytes => PackedWeight.PanelRows;

    public static bool WidenOnce => true;

    private static Vector256<float> Magnitudes => Vector256.Create(0, 0.5f, 1, 1.5f, 2, 3, 4, 6);

    /// <summary>What an element stands for without its scale: sign, two exponent bits with a bias of 1, one mantissa bit.</summary>
    public static float Widen(int code)
    {
        float magnitude = Magnitudes.GetElement(code & 7);
        return (code & 8) == 0 ? magnitude : -magnitude;
    }

    /// <summary>The scale of an exponent.</summary>
    public static float Scale(byte exponent) => BitConverter.Int32BitsToSingle(exponent << ExponentShift);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Scale256(byte* group) => (Load256(group) << ExponentShift).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Scale512(byte* group) => (Load512(group) << ExponentShift).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint GroupOffset(int k) => (nint)(k / GroupColumns) * GroupBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint PairOffset(int k) => GroupOffset(k) + PackedWeight.PanelRows + ((nint)(k % GroupColumns / 2) * PairBytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Even256(byte* pair, Vector256<float> scale)
    {
        Vector256<int> codes = Load256(pair);
        return Signed256(codes, codes << 28) * scale;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Odd256(byte* pair, Vector256<float> scale)
    {
        Vector256<int> codes = Load256(pair);
        return Signed256(codes >>> 4, codes << 24) * scale;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Even512(byte* pair, Vector512<float> scale) => Look512(Load512(pair)) * scale;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Odd512(byte* pair, Vector512<float> scale) => Look512(Load512(pair) >>> 4) * scale;

    // The instruction looks at the lowest three bits only; the sign is at the top of the second argument.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Signed256(Vector256<int> codes, Vector256<int> signs)
    {
        Vector256<float> magnitudes = Avx2.IsSupported
            ? Avx2.PermuteVar8x32(Magnitudes, codes)
            : Vector256.Shuffle(Magnitudes, codes & Vector256.Create(7));
        return magnitudes | (signs & Vector256.Create(int.MinValue)).AsSingle();
    }

    // Here the lowest four.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Look512(Vector512<int> codes)
    {
        Vector512<float> values = Vector512.Create(Magnitudes, -Magnitudes);
        return Avx512F.IsSupported
            ? Avx512F.PermuteVar16x32(values, codes)
            : Vector512.Shuffle(values, codes & Vector512.Create(15));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Load256(byte* bytes) => Avx2.IsSupported
        ? Avx2.ConvertToVector256Int32(bytes)
        : Vector256.WidenLower(Vector256.WidenLower(Vector128.CreateScalar(*(long*)bytes).AsByte().ToVector256())).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Load512(byte* bytes) => Avx512F.IsSupported
        ? Avx512F.ConvertToVector512Int32(Vector128.Load(bytes))
        : Vector512.WidenLower(Vector512.WidenLower(Vector128.Load(bytes).ToVector256().ToVector512())).AsInt32();
}

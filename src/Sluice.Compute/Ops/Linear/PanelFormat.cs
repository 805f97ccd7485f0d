using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sluice.Compute.Ops.Linear;

/// <summary>
/// How a panel of 16 output features is stored and widened. A panel goes through k in pairs. In 16-bit formats a pair is 16
/// 32-bit words, one a feature: the even k in the lower half, the odd k in the upper half, so that one or two cheap integer
/// operations widen a full vector without moving lanes. In float32 a pair is 16 values of the even k, then 16 of the odd k.
/// </summary>
internal unsafe interface IPanelFormat
{
    /// <summary>Bytes of 16 features by two k.</summary>
    static abstract int PairBytes { get; }

    /// <summary>Bytes from the lower to the upper eight features of a k.</summary>
    static abstract int UpperBytes { get; }

    /// <summary>Bytes from the scales of the lower to those of the upper eight features.</summary>
    static abstract int UpperScaleBytes { get; }

    /// <summary>Pairs of k that share scales; formats without scales have one group.</summary>
    static abstract int GroupPairs { get; }

    /// <summary>Bytes of the scales in front of each group.</summary>
    static abstract int ScaleBytes { get; }

    /// <summary>
    /// Whether widening is dear enough to be done once for many rows instead of in every tile. Measured on Zen 4 at 512 rows as
    /// shares of the FMA peak, in every tile and once: float16 with AVX2 58 and 78 %, with AVX-512 82 and 79 %.
    /// </summary>
    static abstract bool WidenOnce { get; }

    /// <summary>Byte offset of the scales of a k from the beginning of a panel or of a group.</summary>
    static abstract nint GroupOffset(int k);

    /// <summary>Byte offset of the pair of a k from the beginning of a panel or of a group.</summary>
    static abstract nint PairOffset(int k);

    /// <summary>What the elements of eight features are multiplied with; <paramref name="group"/> points to the scales, or <see cref="UpperScaleBytes"/> further.</summary>
    static abstract Vector256<float> Scale256(byte* group);

    /// <summary>What the elements of sixteen features are multiplied with.</summary>
    static abstract Vector512<float> Scale512(byte* group);

    /// <summary>
    /// Eight features of the even k; <paramref name="pair"/> points to the pair, or <see cref="UpperBytes"/> further for the upper eight.
    /// </summary>
    static abstract Vector256<float> Even256(byte* pair, Vector256<float> scale);

    /// <summary>Eight features of the odd k.</summary>
    static abstract Vector256<float> Odd256(byte* pair, Vector256<float> scale);

    /// <summary>Sixteen features of the even k.</summary>
    static abstract Vector512<float> Even512(byte* pair, Vector512<float> scale);

    /// <summary>Sixteen features of the odd k.</summary>
    static abstract Vector512<float> Odd512(byte* pair, Vector512<float> scale);
}

/// <inheritdoc cref="IPanelFormat"/>
internal readonly unsafe struct Float32Panel : IPanelFormat
{
    public static int PairBytes => 128;

    public static int UpperBytes => 32;

    public static int UpperScaleBytes => 0;

    public static int GroupPairs => int.MaxValue;

    public static int ScaleBytes => 0;

    public static bool WidenOnce => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Scale256(byte* group) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Scale512(byte* group) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint GroupOffset(int k) => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint PairOffset(int k) => (nint)(k / 2) * PairBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Even256(byte* pair, Vector256<float> scale) => Vector256.Load((float*)pair);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Odd256(byte* pair, Vector256<float> scale) => Vector256.Load((float*)(pair + 64));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Even512(byte* pair, Vector512<float> scale) => Vector512.Load((float*)pair);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Odd512(byte* pair, Vector512<float> scale) => Vector512.Load((float*)(pair + 64));
}

/// <inheritdoc cref="IPanelFormat"/>
internal readonly unsafe struct BFloat16Panel : IPanelFormat
{
    public static int PairBytes => 64;

    public static int UpperBytes => 32;

    public static int UpperScaleBytes => 0;

    public static int GroupPairs => int.MaxValue;

    public static int ScaleBytes => 0;

    public static bool WidenOnce => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Scale256(byte* group) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Scale512(byte* group) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint GroupOffset(int k) => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint PairOffset(int k) => (nint)(k / 2) * PairBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Even256(byte* pair, Vector256<float> scale) => (Vector256.Load((uint*)pair) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Odd256(byte* pair, Vector256<float> scale) => (Vector256.Load((uint*)pair) & Vector256.Create(0xFFFF0000u)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Even512(byte* pair, Vector512<float> scale) => (Vector512.Load((uint*)pair) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Odd512(byte* pair, Vector512<float> scale) => (Vector512.Load((uint*)pair) & Vector512.Create(0xFFFF0000u)).AsSingle();
}

/// <summary>
/// Binary16 without the conversion instruction, which .NET 10 does not expose: the sign-extending shift puts sign, exponent and
/// mantissa where binary32 has them, and the product with 2^112 corrects the exponent bias, exactly, subnormals included.
/// Infinities and NaN become numbers beyond 65504. Weights hold none (<see cref="PackedWeight"/> refuses them); in a cache of this
/// type a key or value out of range saturates.
/// </summary>
internal readonly unsafe struct Float16Panel : IPanelFormat
{
    private const int FieldMask = unchecked((int)0x8FFFE000);
    private const float BiasFactor = 5192296858534827628530496329220096f;

    public static int PairBytes => 64;

    public static int UpperBytes => 32;

    public static int UpperScaleBytes => 0;

    public static int GroupPairs => int.MaxValue;

    public static int ScaleBytes => 0;

    public static bool WidenOnce => !Avx512F.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Scale256(byte* group) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Scale512(byte* group) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint GroupOffset(int k) => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint PairOffset(int k) => (nint)(k / 2) * PairBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Even256(byte* pair, Vector256<float> scale) => Widen((Vector256.Load((int*)pair) << 16) >> 3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Odd256(byte* pair, Vector256<float> scale) => Widen(Vector256.Load((int*)pair) >> 3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Even512(byte* pair, Vector512<float> scale) => Widen((Vector512.Load((int*)pair) << 16) >> 3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Odd512(byte* pair, Vector512<float> scale) => Widen(Vector512.Load((int*)pair) >> 3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Widen(Vector256<int> shifted)
        => (shifted & Vector256.Create(FieldMask)).AsSingle() * Vector256.Create(BiasFactor);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Widen(Vector512<int> shifted)
        => (shifted & Vector512.Create(FieldMask)).AsSingle() * Vector512.Create(BiasFactor);
}

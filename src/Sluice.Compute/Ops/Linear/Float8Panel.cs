using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sluice.Compute.Ops.Linear;

/// <summary>
/// Scaled E4M3: groups of 128 k, each 16 scales in float32, one a feature, then 16 bytes for every k. The sign-extending load and one
/// shift put exponent and mantissa where binary32 has them, a mask removes the copies of the sign between, and the product with the
/// stored scale, which has 2^120 in it, corrects the exponent bias: the one rounding is that of element times scale, subnormal
/// elements included. NaN would become a number; weights hold none (<see cref="PackedWeight"/> refuses it).
/// </summary>
internal readonly unsafe struct Float8Panel : IPanelFormat
{
    /// <summary>Steps of k that share scales: the block width of released checkpoints. Wider blocks repeat their scale.</summary>
    public const int GroupColumns = 128;

    /// <summary>Bytes of a whole group.</summary>
    public const int GroupBytes = GroupScaleBytes + (GroupColumns * PackedWeight.PanelRows);

    /// <summary>What a stored scale has been multiplied with: 2^(127 - 7), the difference of the exponent biases.</summary>
    public const float BiasFactor = 1329227995784915872903807060280344576f;

    private const int GroupScaleBytes = PackedWeight.PanelRows * sizeof(float);
    private const int FieldMask = unchecked((int)0x87F00000);
    private const int FieldShift = 20;

    public static int PairBytes => 2 * PackedWeight.PanelRows;

    public static int UpperBytes => PackedWeight.PanelRows / 2;

    public static int UpperScaleBytes => GroupScaleBytes / 2;

    public static int GroupPairs => GroupColumns / 2;

    public static int ScaleBytes => GroupScaleBytes;

    public static bool WidenOnce => true;

    /// <summary>An element of a checkpoint, without its scale; exact.</summary>
    public static float Widen(byte element) => (element & 0x7F) == 0x7F
        ? float.NaN
        : BitConverter.Int32BitsToSingle(((sbyte)element << FieldShift) & FieldMask) * BiasFactor;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Scale256(byte* group) => Vector256.Load((float*)group);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Scale512(byte* group) => Vector512.Load((float*)group);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint GroupOffset(int k) => (nint)(k / GroupColumns) * GroupBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint PairOffset(int k) => GroupOffset(k) + GroupScaleBytes + ((nint)(k % GroupColumns / 2) * PairBytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Even256(byte* pair, Vector256<float> scale) => Widen256((sbyte*)pair) * scale;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Odd256(byte* pair, Vector256<float> scale) => Widen256((sbyte*)pair + PackedWeight.PanelRows) * scale;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Even512(byte* pair, Vector512<float> scale) => Widen512((sbyte*)pair) * scale;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Odd512(byte* pair, Vector512<float> scale) => Widen512((sbyte*)pair + PackedWeight.PanelRows) * scale;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Widen256(sbyte* elements)
    {
        Vector256<int> extended = Avx2.IsSupported
            ? Avx2.ConvertToVector256Int32(elements)
            : Vector256.WidenLower(Vector256.WidenLower(Vector128.CreateScalar(*(long*)elements).AsSByte().ToVector256()));
        return ((extended << FieldShift) & Vector256.Create(FieldMask)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Widen512(sbyte* elements)
    {
        Vector512<int> extended = Avx512F.IsSupported
            ? Avx512F.ConvertToVector512Int32(Vector128.Load(elements))
            : Vector512.WidenLower(Vector512.WidenLower(Vector128.Load(elements).ToVector256().ToVector512()));
        return ((extended << FieldShift) & Vector512.Create(FieldMask)).AsSingle();
    }
}

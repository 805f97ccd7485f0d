using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sluice.Compute.Ops.Linear;

/// <summary>
/// Register tiles in 256-bit vectors: at most 12 accumulators, 2 weight vectors and a broadcast of the 16 registers of AVX2.
/// Every accumulator is one chain of fused multiply-adds over k, so tiles of any shape give the same bits.
/// Compiled fully at their first call: a prompt must not run on unoptimized code.
/// This file is long because unrolled tiles leave the compiler nothing to decide.
/// </summary>
internal static unsafe class Tiles256
{
    /// <summary>1 row by 2 panels: 4 accumulators.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tile1x2<TFormat, TInput>(in TileCall call)
        where TFormat : struct, IPanelFormat
        where TInput : struct, ITileInput
    {
        Vector256<float> a0a = Read(in call, 0, 0, 0), a0b = Read(in call, 0, 0, 8);
        Vector256<float> a0c = Read(in call, 0, 1, 0), a0d = Read(in call, 0, 1, 8);
        float* x = call.Input;
        byte* p0 = call.Panel;
        byte* p1 = p0 + call.StrideOf(1);
        for (int pairs = call.KCount >> 1; pairs > 0; pairs -= TFormat.GroupPairs)
        {
            Vector256<float> s0a = TFormat.Scale256(p0), s0b = TFormat.Scale256(p0 + TFormat.UpperScaleBytes);
            Vector256<float> s1a = TFormat.Scale256(p1), s1b = TFormat.Scale256(p1 + TFormat.UpperScaleBytes);
            p0 += TFormat.ScaleBytes;
            p1 += TFormat.ScaleBytes;
            for (int pair = Math.Min(pairs, TFormat.GroupPairs); pair > 0; pair--)
            {
                Vector256<float> w0 = TFormat.Even256(p0, s0a);
                Vector256<float> w1 = TFormat.Even256(p0 + TFormat.UpperBytes, s0b);
                Vector256<float> w2 = TFormat.Even256(p1, s1a);
                Vector256<float> w3 = TFormat.Even256(p1 + TFormat.UpperBytes, s1b);
                Vector256<float> b = Vector256.Create(x[TInput.At(0, 0, 1)]);
                a0a = Vector256.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector256.FusedMultiplyAdd(b, w1, a0b);
                a0c = Vector256.FusedMultiplyAdd(b, w2, a0c);
                a0d = Vector256.FusedMultiplyAdd(b, w3, a0d);

                w0 = TFormat.Odd256(p0, s0a);
                w1 = TFormat.Odd256(p0 + TFormat.UpperBytes, s0b);
                w2 = TFormat.Odd256(p1, s1a);
                w3 = TFormat.Odd256(p1 + TFormat.UpperBytes, s1b);
                b = Vector256.Create(x[TInput.At(0, 1, 1)]);
                a0a = Vector256.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector256.FusedMultiplyAdd(b, w1, a0b);
                a0c = Vector256.FusedMultiplyAdd(b, w2, a0c);
                a0d = Vector256.FusedMultiplyAdd(b, w3, a0d);

                x += TInput.At(0, 2, 1);
                p0 += TFormat.PairBytes;
                p1 += TFormat.PairBytes;
            }
        }

        Write(in call, 0, 0, 0, a0a);
        Write(in call, 0, 0, 8, a0b);
        Write(in call, 0, 1, 0, a0c);
        Write(in call, 0, 1, 8, a0d);
        FinishOddK<TFormat, TInput>(in call, 1);
    }

    /// <summary>1 row by 4 panels: 8 accumulators.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tile1x4<TFormat, TInput>(in TileCall call)
        where TFormat : struct, IPanelFormat
        where TInput : struct, ITileInput
    {
        Vector256<float> a0a = Read(in call, 0, 0, 0), a0b = Read(in call, 0, 0, 8);
        Vector256<float> a0c = Read(in call, 0, 1, 0), a0d = Read(in call, 0, 1, 8);
        Vector256<float> a0e = Read(in call, 0, 2, 0), a0f = Read(in call, 0, 2, 8);
        Vector256<float> a0g = Read(in call, 0, 3, 0), a0h = Read(in call, 0, 3, 8);
        float* x = call.Input;
        byte* p0 = call.Panel;
        byte* p1 = p0 + call.StrideOf(1);
        byte* p2 = p0 + call.StrideOf(2);
        byte* p3 = p0 + call.StrideOf(3);
        for (int pairs = call.KCount >> 1; pairs > 0; pairs -= TFormat.GroupPairs)
        {
            Vector256<float> s0a = TFormat.Scale256(p0), s0b = TFormat.Scale256(p0 + TFormat.UpperScaleBytes);
            Vector256<float> s1a = TFormat.Scale256(p1), s1b = TFormat.Scale256(p1 + TFormat.UpperScaleBytes);
            Vector256<float> s2a = TFormat.Scale256(p2), s2b = TFormat.Scale256(p2 + TFormat.UpperScaleBytes);
            Vector256<float> s3a = TFormat.Scale256(p3), s3b = TFormat.Scale256(p3 + TFormat.UpperScaleBytes);
            p0 += TFormat.ScaleBytes;
            p1 += TFormat.ScaleBytes;
            p2 += TFormat.ScaleBytes;
            p3 += TFormat.ScaleBytes;
            for (int pair = Math.Min(pairs, TFormat.GroupPairs); pair > 0; pair--)
            {
                Vector256<float> w0 = TFormat.Even256(p0, s0a);
                Vector256<float> w1 = TFormat.Even256(p0 + TFormat.UpperBytes, s0b);
                Vector256<float> w2 = TFormat.Even256(p1, s1a);
                Vector256<float> w3 = TFormat.Even256(p1 + TFormat.UpperBytes, s1b);
                Vector256<float> w4 = TFormat.Even256(p2, s2a);
                Vector256<float> w5 = TFormat.Even256(p2 + TFormat.UpperBytes, s2b);
                Vector256<float> w6 = TFormat.Even256(p3, s3a);
                Vector256<float> w7 = TFormat.Even256(p3 + TFormat.UpperBytes, s3b);
                Vector256<float> b = Vector256.Create(x[TInput.At(0, 0, 1)]);
                a0a = Vector256.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector256.FusedMultiplyAdd(b, w1, a0b);
                a0c = Vector256.FusedMultiplyAdd(b, w2, a0c);
                a0d = Vector256.FusedMultiplyAdd(b, w3, a0d);
                a0e = Vector256.FusedMultiplyAdd(b, w4, a0e);
                a0f = Vector256.FusedMultiplyAdd(b, w5, a0f);
                a0g = Vector256.FusedMultiplyAdd(b, w6, a0g);
                a0h = Vector256.FusedMultiplyAdd(b, w7, a0h);

                w0 = TFormat.Odd256(p0, s0a);
                w1 = TFormat.Odd256(p0 + TFormat.UpperBytes, s0b);
                w2 = TFormat.Odd256(p1, s1a);
                w3 = TFormat.Odd256(p1 + TFormat.UpperBytes, s1b);
                w4 = TFormat.Odd256(p2, s2a);
                w5 = TFormat.Odd256(p2 + TFormat.UpperBytes, s2b);
                w6 = TFormat.Odd256(p3, s3a);
                w7 = TFormat.Odd256(p3 + TFormat.UpperBytes, s3b);
                b = Vector256.Create(x[TInput.At(0, 1, 1)]);
                a0a = Vector256.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector256.FusedMultiplyAdd(b, w1, a0b);
                a0c = Vector256.FusedMultiplyAdd(b, w2, a0c);
                a0d = Vector256.FusedMultiplyAdd(b, w3, a0d);
                a0e = Vector256.FusedMultiplyAdd(b, w4, a0e);
                a0f = Vector256.FusedMultiplyAdd(b, w5, a0f);
                a0g = Vector256.FusedMultiplyAdd(b, w6, a0g);
                a0h = Vector256.FusedMultiplyAdd(b, w7, a0h);

                x += TInput.At(0, 2, 1);
                p0 += TFormat.PairBytes;
                p1 += TFormat.PairBytes;
                p2 += TFormat.PairBytes;
                p3 += TFormat.PairBytes;
            }
        }

        Write(in call, 0, 0, 0, a0a);
        Write(in call, 0, 0, 8, a0b);
        Write(in call, 0, 1, 0, a0c);
        Write(in call, 0, 1, 8, a0d);
        Write(in call, 0, 2, 0, a0e);
        Write(in call, 0, 2, 8, a0f);
        Write(in call, 0, 3, 0, a0g);
        Write(in call, 0, 3, 8, a0h);
        FinishOddK<TFormat, TInput>(in call, 1);
    }

    /// <summary>2 rows by 2 panels: 8 accumulators.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tile2x2<TFormat, TInput>(in TileCall call)
        where TFormat : struct, IPanelFormat
        where TInput : struct, ITileInput
    {
        Vector256<float> a0a = Read(in call, 0, 0, 0), a0b = Read(in call, 0, 0, 8);
        Vector256<float> a0c = Read(in call, 0, 1, 0), a0d = Read(in call, 0, 1, 8);
        Vector256<float> a1a = Read(in call, 1, 0, 0), a1b = Read(in call, 1, 0, 8);
        Vector256<float> a1c = Read(in call, 1, 1, 0), a1d = Read(in call, 1, 1, 8);
        float* x = call.Input;
        byte* p0 = call.Panel;
        byte* p1 = p0 + call.StrideOf(1);
        for (int pairs = call.KCount >> 1; pairs > 0; pairs -= TFormat.GroupPairs)
        {
            Vector256<float> s0a = TFormat.Scale256(p0), s0b = TFormat.Scale256(p0 + TFormat.UpperScaleBytes);
            Vector256<float> s1a = TFormat.Scale256(p1), s1b = TFormat.Scale256(p1 + TFormat.UpperScaleBytes);
            p0 += TFormat.ScaleBytes;
            p1 += TFormat.ScaleBytes;
            for (int pair = Math.Min(pairs, TFormat.GroupPairs); pair > 0; pair--)
            {
                Vector256<float> w0 = TFormat.Even256(p0, s0a);
                Vector256<float> w1 = TFormat.Even256(p0 + TFormat.UpperBytes, s0b);
                Vector256<float> w2 = TFormat.Even256(p1, s1a);
                Vector256<float> w3 = TFormat.Even256(p1 + TFormat.UpperBytes, s1b);
                Vector256<float> b = Vector256.Create(x[TInput.At(0, 0, 2)]);
                a0a = Vector256.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector256.FusedMultiplyAdd(b, w1, a0b);
                a0c = Vector256.FusedMultiplyAdd(b, w2, a0c);
                a0d = Vector256.FusedMultiplyAdd(b, w3, a0d);
                b = Vector256.Create(x[TInput.At(1, 0, 2)]);
                a1a = Vector256.FusedMultiplyAdd(b, w0, a1a);
                a1b = Vector256.FusedMultiplyAdd(b, w1, a1b);
                a1c = Vector256.FusedMultiplyAdd(b, w2, a1c);
                a1d = Vector256.FusedMultiplyAdd(b, w3, a1d);

                w0 = TFormat.Odd256(p0, s0a);
                w1 = TFormat.Odd256(p0 + TFormat.UpperBytes, s0b);
                w2 = TFormat.Odd256(p1, s1a);
                w3 = TFormat.Odd256(p1 + TFormat.UpperBytes, s1b);
                b = Vector256.Create(x[TInput.At(0, 1, 2)]);
                a0a = Vector256.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector256.FusedMultiplyAdd(b, w1, a0b);
                a0c = Vector256.FusedMultiplyAdd(b, w2, a0c);
                a0d = Vector256.FusedMultiplyAdd(b, w3, a0d);
                b = Vector256.Create(x[TInput.At(1, 1, 2)]);
                a1a = Vector256.FusedMultiplyAdd(b, w0, a1a);
                a1b = Vector256.FusedMultiplyAdd(b, w1, a1b);
                a1c = Vector256.FusedMultiplyAdd(b, w2, a1c);
                a1d = Vector256.FusedMultiplyAdd(b, w3, a1d);

                x += TInput.At(0, 2, 2);
                p0 += TFormat.PairBytes;
                p1 += TFormat.PairBytes;
            }
        }

        Write(in call, 0, 0, 0, a0a);
        Write(in call, 0, 0, 8, a0b);
        Write(in call, 0, 1, 0, a0c);
        Write(in call, 0, 1, 8, a0d);
        Write(in call, 1, 0, 0, a1a);
        Write(in call, 1, 0, 8, a1b);
        Write(in call, 1, 1, 0, a1c);
        Write(in call, 1, 1, 8, a1d);
        FinishOddK<TFormat, TInput>(in call, 2);
    }

    /// <summary>4 rows by 1 panel: 8 accumulators.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tile4x1<TFormat, TInput>(in TileCall call)
        where TFormat : struct, IPanelFormat
        where TInput : struct, ITileInput
    {
        Vector256<float> a0a = Read(in call, 0, 0, 0), a0b = Read(in call, 0, 0, 8);
        Vector256<float> a1a = Read(in call, 1, 0, 0), a1b = Read(in call, 1, 0, 8);
        Vector256<float> a2a = Read(in call, 2, 0, 0), a2b = Read(in call, 2, 0, 8);
        Vector256<float> a3a = Read(in call, 3, 0, 0), a3b = Read(in call, 3, 0, 8);
        float* x = call.Input;
        byte* p0 = call.Panel;
        for (int pairs = call.KCount >> 1; pairs > 0; pairs -= TFormat.GroupPairs)
        {
            Vector256<float> s0a = TFormat.Scale256(p0), s0b = TFormat.Scale256(p0 + TFormat.UpperScaleBytes);
            p0 += TFormat.ScaleBytes;
            for (int pair = Math.Min(pairs, TFormat.GroupPairs); pair > 0; pair--)
            {
                Tiles.Prefetch<TFormat>(p0);
                Vector256<float> w0 = TFormat.Even256(p0, s0a);
                Vector256<float> w1 = TFormat.Even256(p0 + TFormat.UpperBytes, s0b);
                Vector256<float> b = Vector256.Create(x[TInput.At(0, 0, 4)]);
                a0a = Vector256.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector256.FusedMultiplyAdd(b, w1, a0b);
                b = Vector256.Create(x[TInput.At(1, 0, 4)]);
                a1a = Vector256.FusedMultiplyAdd(b, w0, a1a);
                a1b = Vector256.FusedMultiplyAdd(b, w1, a1b);
                b = Vector256.Create(x[TInput.At(2, 0, 4)]);
                a2a = Vector256.FusedMultiplyAdd(b, w0, a2a);
                a2b = Vector256.FusedMultiplyAdd(b, w1, a2b);
                b = Vector256.Create(x[TInput.At(3, 0, 4)]);
                a3a = Vector256.FusedMultiplyAdd(b, w0, a3a);
                a3b = Vector256.FusedMultiplyAdd(b, w1, a3b);

                w0 = TFormat.Odd256(p0, s0a);
                w1 = TFormat.Odd256(p0 + TFormat.UpperBytes, s0b);
                b = Vector256.Create(x[TInput.At(0, 1, 4)]);
                a0a = Vector256.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector256.FusedMultiplyAdd(b, w1, a0b);
                b = Vector256.Create(x[TInput.At(1, 1, 4)]);
                a1a = Vector256.FusedMultiplyAdd(b, w0, a1a);
                a1b = Vector256.FusedMultiplyAdd(b, w1, a1b);
                b = Vector256.Create(x[TInput.At(2, 1, 4)]);
                a2a = Vector256.FusedMultiplyAdd(b, w0, a2a);
                a2b = Vector256.FusedMultiplyAdd(b, w1, a2b);
                b = Vector256.Create(x[TInput.At(3, 1, 4)]);
                a3a = Vector256.FusedMultiplyAdd(b, w0, a3a);
                a3b = Vector256.FusedMultiplyAdd(b, w1, a3b);

                x += TInput.At(0, 2, 4);
                p0 += TFormat.PairBytes;
            }
        }

        Write(in call, 0, 0, 0, a0a);
        Write(in call, 0, 0, 8, a0b);
        Write(in call, 1, 0, 0, a1a);
        Write(in call, 1, 0, 8, a1b);
        Write(in call, 2, 0, 0, a2a);
        Write(in call, 2, 0, 8, a2b);
        Write(in call, 3, 0, 0, a3a);
        Write(in call, 3, 0, 8, a3b);
        FinishOddK<TFormat, TInput>(in call, 4);
    }

    /// <summary>6 rows by 1 panel: 12 accumulators.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tile6x1<TFormat, TInput>(in TileCall call)
        where TFormat : struct, IPanelFormat
        where TInput : struct, ITileInput
    {
        Vector256<float> a0a = Read(in call, 0, 0, 0), a0b = Read(in call, 0, 0, 8);
        Vector256<float> a1a = Read(in call, 1, 0, 0), a1b = Read(in call, 1, 0, 8);
        Vector256<float> a2a = Read(in call, 2, 0, 0), a2b = Read(in call, 2, 0, 8);
        Vector256<float> a3a = Read(in call, 3, 0, 0), a3b = Read(in call, 3, 0, 8);
        Vector256<float> a4a = Read(in call, 4, 0, 0), a4b = Read(in call, 4, 0, 8);
        Vector256<float> a5a = Read(in call, 5, 0, 0), a5b = Read(in call, 5, 0, 8);
        float* x = call.Input;
        byte* p0 = call.Panel;
        for (int pairs = call.KCount >> 1; pairs > 0; pairs -= TFormat.GroupPairs)
        {
            Vector256<float> s0a = TFormat.Scale256(p0), s0b = TFormat.Scale256(p0 + TFormat.UpperScaleBytes);
            p0 += TFormat.ScaleBytes;
            for (int pair = Math.Min(pairs, TFormat.GroupPairs); pair > 0; pair--)
            {
                Tiles.Prefetch<TFormat>(p0);
                Vector256<float> w0 = TFormat.Even256(p0, s0a);
                Vector256<float> w1 = TFormat.Even256(p0 + TFormat.UpperBytes, s0b);
                Vector256<float> b = Vector256.Create(x[TInput.At(0, 0, 6)]);
                a0a = Vector256.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector256.FusedMultiplyAdd(b, w1, a0b);
                b = Vector256.Create(x[TInput.At(1, 0, 6)]);
                a1a = Vector256.FusedMultiplyAdd(b, w0, a1a);
                a1b = Vector256.FusedMultiplyAdd(b, w1, a1b);
                b = Vector256.Create(x[TInput.At(2, 0, 6)]);
                a2a = Vector256.FusedMultiplyAdd(b, w0, a2a);
                a2b = Vector256.FusedMultiplyAdd(b, w1, a2b);
                b = Vector256.Create(x[TInput.At(3, 0, 6)]);
                a3a = Vector256.FusedMultiplyAdd(b, w0, a3a);
                a3b = Vector256.FusedMultiplyAdd(b, w1, a3b);
                b = Vector256.Create(x[TInput.At(4, 0, 6)]);
                a4a = Vector256.FusedMultiplyAdd(b, w0, a4a);
                a4b = Vector256.FusedMultiplyAdd(b, w1, a4b);
                b = Vector256.Create(x[TInput.At(5, 0, 6)]);
                a5a = Vector256.FusedMultiplyAdd(b, w0, a5a);
                a5b = Vector256.FusedMultiplyAdd(b, w1, a5b);

                w0 = TFormat.Odd256(p0, s0a);
                w1 = TFormat.Odd256(p0 + TFormat.UpperBytes, s0b);
                b = Vector256.Create(x[TInput.At(0, 1, 6)]);
                a0a = Vector256.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector256.FusedMultiplyAdd(b, w1, a0b);
                b = Vector256.Create(x[TInput.At(1, 1, 6)]);
                a1a = Vector256.FusedMultiplyAdd(b, w0, a1a);
                a1b = Vector256.FusedMultiplyAdd(b, w1, a1b);
                b = Vector256.Create(x[TInput.At(2, 1, 6)]);
                a2a = Vector256.FusedMultiplyAdd(b, w0, a2a);
                a2b = Vector256.FusedMultiplyAdd(b, w1, a2b);
                b = Vector256.Create(x[TInput.At(3, 1, 6)]);
                a3a = Vector256.FusedMultiplyAdd(b, w0, a3a);
                a3b = Vector256.FusedMultiplyAdd(b, w1, a3b);
                b = Vector256.Create(x[TInput.At(4, 1, 6)]);
                a4a = Vector256.FusedMultiplyAdd(b, w0, a4a);
                a4b = Vector256.FusedMultiplyAdd(b, w1, a4b);
                b = Vector256.Create(x[TInput.At(5, 1, 6)]);
                a5a = Vector256.FusedMultiplyAdd(b, w0, a5a);
                a5b = Vector256.FusedMultiplyAdd(b, w1, a5b);

                x += TInput.At(0, 2, 6);
                p0 += TFormat.PairBytes;
            }
        }

        Write(in call, 0, 0, 0, a0a);
        Write(in call, 0, 0, 8, a0b);
        Write(in call, 1, 0, 0, a1a);
        Write(in call, 1, 0, 8, a1b);
        Write(in call, 2, 0, 0, a2a);
        Write(in call, 2, 0, 8, a2b);
        Write(in call, 3, 0, 0, a3a);
        Write(in call, 3, 0, 8, a3b);
        Write(in call, 4, 0, 0, a4a);
        Write(in call, 4, 0, 8, a4b);
        Write(in call, 5, 0, 0, a5a);
        Write(in call, 5, 0, 8, a5b);
        FinishOddK<TFormat, TInput>(in call, 6);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Read(in TileCall call, int row, int panel, int offset)
        => call.Accumulate && row < call.Rows && panel < call.Panels ? Vector256.Load(call.OutputAt(row, panel) + offset) : Vector256<float>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write(in TileCall call, int row, int panel, int offset, Vector256<float> value)
    {
        if (row < call.Rows && panel < call.Panels)
        {
            value.Store(call.OutputAt(row, panel) + offset);
        }
    }

    /// <summary>The last step of an odd number of k, on the stored results: the last pair has only its even half.</summary>
    private static void FinishOddK<TFormat, TInput>(in TileCall call, int tileRows)
        where TFormat : struct, IPanelFormat
        where TInput : struct, ITileInput
    {
        if ((call.KCount & 1) != 0)
        {
            float* x = call.Input + TInput.At(0, call.KCount - 1, tileRows);
            for (int panel = 0; panel < call.Panels; panel++)
            {
                byte* stored = call.Panel + call.StrideOf(panel);
                byte* scales = stored + TFormat.GroupOffset(call.KCount - 1);
                stored += TFormat.PairOffset(call.KCount - 1);
                Vector256<float> lower = TFormat.Even256(stored, TFormat.Scale256(scales));
                Vector256<float> upper = TFormat.Even256(stored + TFormat.UpperBytes, TFormat.Scale256(scales + TFormat.UpperScaleBytes));
                float* output = call.Output + (panel * call.OutputPanelStride);
                for (int row = 0; row < call.Rows; row++)
                {
                    Vector256<float> b = Vector256.Create(x[TInput.At(row, 0, tileRows)]);
                    float* target = output + (row * call.OutputRowStride);
                    Vector256.FusedMultiplyAdd(b, lower, Vector256.Load(target)).Store(target);
                    Vector256.FusedMultiplyAdd(b, upper, Vector256.Load(target + 8)).Store(target + 8);
                }
            }
        }
    }
}

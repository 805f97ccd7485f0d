using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sluice.Compute.Ops.Linear;

/// <summary>
/// Register tiles in 512-bit vectors: at most 24 accumulators, 2 to 4 weight vectors and a broadcast of the 32 registers of AVX-512.
/// Every accumulator is one chain of fused multiply-adds over k, so tiles of any shape give the same bits.
/// Compiled fully at their first call: a prompt must not run on unoptimized code.
/// This file is long because unrolled tiles leave the compiler nothing to decide.
/// </summary>
internal static unsafe class Tiles512
{
    /// <summary>1 row by 2 panels: 2 accumulators.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tile1x2<TFormat, TInput>(in TileCall call)
        where TFormat : struct, IPanelFormat
        where TInput : struct, ITileInput
    {
        Vector512<float> a0a = Read(in call, 0, 0), a0b = Read(in call, 0, 1);
        float* x = call.Input;
        byte* p0 = call.Panel;
        byte* p1 = p0 + call.StrideOf(1);
        for (int pairs = call.KCount >> 1; pairs > 0; pairs -= TFormat.GroupPairs)
        {
            Vector512<float> s0 = TFormat.Scale512(p0);
            Vector512<float> s1 = TFormat.Scale512(p1);
            p0 += TFormat.ScaleBytes;
            p1 += TFormat.ScaleBytes;
            for (int pair = Math.Min(pairs, TFormat.GroupPairs); pair > 0; pair--)
            {
                Vector512<float> w0 = TFormat.Even512(p0, s0);
                Vector512<float> w1 = TFormat.Even512(p1, s1);
                Vector512<float> b = Vector512.Create(x[TInput.At(0, 0, 1)]);
                a0a = Vector512.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector512.FusedMultiplyAdd(b, w1, a0b);

                w0 = TFormat.Odd512(p0, s0);
                w1 = TFormat.Odd512(p1, s1);
                b = Vector512.Create(x[TInput.At(0, 1, 1)]);
                a0a = Vector512.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector512.FusedMultiplyAdd(b, w1, a0b);

                x += TInput.At(0, 2, 1);
                p0 += TFormat.PairBytes;
                p1 += TFormat.PairBytes;
            }
        }

        Write(in call, 0, 0, a0a);
        Write(in call, 0, 1, a0b);
        FinishOddK<TFormat, TInput>(in call, 1);
    }

    /// <summary>1 row by 4 panels: 4 accumulators.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tile1x4<TFormat, TInput>(in TileCall call)
        where TFormat : struct, IPanelFormat
        where TInput : struct, ITileInput
    {
        Vector512<float> a0a = Read(in call, 0, 0), a0b = Read(in call, 0, 1);
        Vector512<float> a0c = Read(in call, 0, 2), a0d = Read(in call, 0, 3);
        float* x = call.Input;
        byte* p0 = call.Panel;
        byte* p1 = p0 + call.StrideOf(1);
        byte* p2 = p0 + call.StrideOf(2);
        byte* p3 = p0 + call.StrideOf(3);
        for (int pairs = call.KCount >> 1; pairs > 0; pairs -= TFormat.GroupPairs)
        {
            Vector512<float> s0 = TFormat.Scale512(p0);
            Vector512<float> s1 = TFormat.Scale512(p1);
            Vector512<float> s2 = TFormat.Scale512(p2);
            Vector512<float> s3 = TFormat.Scale512(p3);
            p0 += TFormat.ScaleBytes;
            p1 += TFormat.ScaleBytes;
            p2 += TFormat.ScaleBytes;
            p3 += TFormat.ScaleBytes;
            for (int pair = Math.Min(pairs, TFormat.GroupPairs); pair > 0; pair--)
            {
                Vector512<float> w0 = TFormat.Even512(p0, s0);
                Vector512<float> w1 = TFormat.Even512(p1, s1);
                Vector512<float> w2 = TFormat.Even512(p2, s2);
                Vector512<float> w3 = TFormat.Even512(p3, s3);
                Vector512<float> b = Vector512.Create(x[TInput.At(0, 0, 1)]);
                a0a = Vector512.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector512.FusedMultiplyAdd(b, w1, a0b);
                a0c = Vector512.FusedMultiplyAdd(b, w2, a0c);
                a0d = Vector512.FusedMultiplyAdd(b, w3, a0d);

                w0 = TFormat.Odd512(p0, s0);
                w1 = TFormat.Odd512(p1, s1);
                w2 = TFormat.Odd512(p2, s2);
                w3 = TFormat.Odd512(p3, s3);
                b = Vector512.Create(x[TInput.At(0, 1, 1)]);
                a0a = Vector512.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector512.FusedMultiplyAdd(b, w1, a0b);
                a0c = Vector512.FusedMultiplyAdd(b, w2, a0c);
                a0d = Vector512.FusedMultiplyAdd(b, w3, a0d);

                x += TInput.At(0, 2, 1);
                p0 += TFormat.PairBytes;
                p1 += TFormat.PairBytes;
                p2 += TFormat.PairBytes;
                p3 += TFormat.PairBytes;
            }
        }

        Write(in call, 0, 0, a0a);
        Write(in call, 0, 1, a0b);
        Write(in call, 0, 2, a0c);
        Write(in call, 0, 3, a0d);
        FinishOddK<TFormat, TInput>(in call, 1);
    }

    /// <summary>2 rows by 2 panels: 4 accumulators.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tile2x2<TFormat, TInput>(in TileCall call)
        where TFormat : struct, IPanelFormat
        where TInput : struct, ITileInput
    {
        Vector512<float> a0a = Read(in call, 0, 0), a0b = Read(in call, 0, 1);
        Vector512<float> a1a = Read(in call, 1, 0), a1b = Read(in call, 1, 1);
        float* x = call.Input;
        byte* p0 = call.Panel;
        byte* p1 = p0 + call.StrideOf(1);
        for (int pairs = call.KCount >> 1; pairs > 0; pairs -= TFormat.GroupPairs)
        {
            Vector512<float> s0 = TFormat.Scale512(p0);
            Vector512<float> s1 = TFormat.Scale512(p1);
            p0 += TFormat.ScaleBytes;
            p1 += TFormat.ScaleBytes;
            for (int pair = Math.Min(pairs, TFormat.GroupPairs); pair > 0; pair--)
            {
                Vector512<float> w0 = TFormat.Even512(p0, s0);
                Vector512<float> w1 = TFormat.Even512(p1, s1);
                Vector512<float> b = Vector512.Create(x[TInput.At(0, 0, 2)]);
                a0a = Vector512.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector512.FusedMultiplyAdd(b, w1, a0b);
                b = Vector512.Create(x[TInput.At(1, 0, 2)]);
                a1a = Vector512.FusedMultiplyAdd(b, w0, a1a);
                a1b = Vector512.FusedMultiplyAdd(b, w1, a1b);

                w0 = TFormat.Odd512(p0, s0);
                w1 = TFormat.Odd512(p1, s1);
                b = Vector512.Create(x[TInput.At(0, 1, 2)]);
                a0a = Vector512.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector512.FusedMultiplyAdd(b, w1, a0b);
                b = Vector512.Create(x[TInput.At(1, 1, 2)]);
                a1a = Vector512.FusedMultiplyAdd(b, w0, a1a);
                a1b = Vector512.FusedMultiplyAdd(b, w1, a1b);

                x += TInput.At(0, 2, 2);
                p0 += TFormat.PairBytes;
                p1 += TFormat.PairBytes;
            }
        }

        Write(in call, 0, 0, a0a);
        Write(in call, 0, 1, a0b);
        Write(in call, 1, 0, a1a);
        Write(in call, 1, 1, a1b);
        FinishOddK<TFormat, TInput>(in call, 2);
    }

    /// <summary>4 rows by 2 panels: 8 accumulators.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tile4x2<TFormat, TInput>(in TileCall call)
        where TFormat : struct, IPanelFormat
        where TInput : struct, ITileInput
    {
        Vector512<float> a0a = Read(in call, 0, 0), a0b = Read(in call, 0, 1);
        Vector512<float> a1a = Read(in call, 1, 0), a1b = Read(in call, 1, 1);
        Vector512<float> a2a = Read(in call, 2, 0), a2b = Read(in call, 2, 1);
        Vector512<float> a3a = Read(in call, 3, 0), a3b = Read(in call, 3, 1);
        float* x = call.Input;
        byte* p0 = call.Panel;
        byte* p1 = p0 + call.StrideOf(1);
        for (int pairs = call.KCount >> 1; pairs > 0; pairs -= TFormat.GroupPairs)
        {
            Vector512<float> s0 = TFormat.Scale512(p0);
            Vector512<float> s1 = TFormat.Scale512(p1);
            p0 += TFormat.ScaleBytes;
            p1 += TFormat.ScaleBytes;
            for (int pair = Math.Min(pairs, TFormat.GroupPairs); pair > 0; pair--)
            {
                Tiles.Prefetch<TFormat>(p0);
                Tiles.Prefetch<TFormat>(p1);
                Vector512<float> w0 = TFormat.Even512(p0, s0);
                Vector512<float> w1 = TFormat.Even512(p1, s1);
                Vector512<float> b = Vector512.Create(x[TInput.At(0, 0, 4)]);
                a0a = Vector512.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector512.FusedMultiplyAdd(b, w1, a0b);
                b = Vector512.Create(x[TInput.At(1, 0, 4)]);
                a1a = Vector512.FusedMultiplyAdd(b, w0, a1a);
                a1b = Vector512.FusedMultiplyAdd(b, w1, a1b);
                b = Vector512.Create(x[TInput.At(2, 0, 4)]);
                a2a = Vector512.FusedMultiplyAdd(b, w0, a2a);
                a2b = Vector512.FusedMultiplyAdd(b, w1, a2b);
                b = Vector512.Create(x[TInput.At(3, 0, 4)]);
                a3a = Vector512.FusedMultiplyAdd(b, w0, a3a);
                a3b = Vector512.FusedMultiplyAdd(b, w1, a3b);

                w0 = TFormat.Odd512(p0, s0);
                w1 = TFormat.Odd512(p1, s1);
                b = Vector512.Create(x[TInput.At(0, 1, 4)]);
                a0a = Vector512.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector512.FusedMultiplyAdd(b, w1, a0b);
                b = Vector512.Create(x[TInput.At(1, 1, 4)]);
                a1a = Vector512.FusedMultiplyAdd(b, w0, a1a);
                a1b = Vector512.FusedMultiplyAdd(b, w1, a1b);
                b = Vector512.Create(x[TInput.At(2, 1, 4)]);
                a2a = Vector512.FusedMultiplyAdd(b, w0, a2a);
                a2b = Vector512.FusedMultiplyAdd(b, w1, a2b);
                b = Vector512.Create(x[TInput.At(3, 1, 4)]);
                a3a = Vector512.FusedMultiplyAdd(b, w0, a3a);
                a3b = Vector512.FusedMultiplyAdd(b, w1, a3b);

                x += TInput.At(0, 2, 4);
                p0 += TFormat.PairBytes;
                p1 += TFormat.PairBytes;
            }
        }

        Write(in call, 0, 0, a0a);
        Write(in call, 0, 1, a0b);
        Write(in call, 1, 0, a1a);
        Write(in call, 1, 1, a1b);
        Write(in call, 2, 0, a2a);
        Write(in call, 2, 1, a2b);
        Write(in call, 3, 0, a3a);
        Write(in call, 3, 1, a3b);
        FinishOddK<TFormat, TInput>(in call, 4);
    }

    /// <summary>8 rows by 2 panels: 16 accumulators.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tile8x2<TFormat, TInput>(in TileCall call)
        where TFormat : struct, IPanelFormat
        where TInput : struct, ITileInput
    {
        Vector512<float> a0a = Read(in call, 0, 0), a0b = Read(in call, 0, 1);
        Vector512<float> a1a = Read(in call, 1, 0), a1b = Read(in call, 1, 1);
        Vector512<float> a2a = Read(in call, 2, 0), a2b = Read(in call, 2, 1);
        Vector512<float> a3a = Read(in call, 3, 0), a3b = Read(in call, 3, 1);
        Vector512<float> a4a = Read(in call, 4, 0), a4b = Read(in call, 4, 1);
        Vector512<float> a5a = Read(in call, 5, 0), a5b = Read(in call, 5, 1);
        Vector512<float> a6a = Read(in call, 6, 0), a6b = Read(in call, 6, 1);
        Vector512<float> a7a = Read(in call, 7, 0), a7b = Read(in call, 7, 1);
        float* x = call.Input;
        byte* p0 = call.Panel;
        byte* p1 = p0 + call.StrideOf(1);
        for (int pairs = call.KCount >> 1; pairs > 0; pairs -= TFormat.GroupPairs)
        {
            Vector512<float> s0 = TFormat.Scale512(p0);
            Vector512<float> s1 = TFormat.Scale512(p1);
            p0 += TFormat.ScaleBytes;
            p1 += TFormat.ScaleBytes;
            for (int pair = Math.Min(pairs, TFormat.GroupPairs); pair > 0; pair--)
            {
                Tiles.Prefetch<TFormat>(p0);
                Tiles.Prefetch<TFormat>(p1);
                Vector512<float> w0 = TFormat.Even512(p0, s0);
                Vector512<float> w1 = TFormat.Even512(p1, s1);
                Vector512<float> b = Vector512.Create(x[TInput.At(0, 0, 8)]);
                a0a = Vector512.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector512.FusedMultiplyAdd(b, w1, a0b);
                b = Vector512.Create(x[TInput.At(1, 0, 8)]);
                a1a = Vector512.FusedMultiplyAdd(b, w0, a1a);
                a1b = Vector512.FusedMultiplyAdd(b, w1, a1b);
                b = Vector512.Create(x[TInput.At(2, 0, 8)]);
                a2a = Vector512.FusedMultiplyAdd(b, w0, a2a);
                a2b = Vector512.FusedMultiplyAdd(b, w1, a2b);
                b = Vector512.Create(x[TInput.At(3, 0, 8)]);
                a3a = Vector512.FusedMultiplyAdd(b, w0, a3a);
                a3b = Vector512.FusedMultiplyAdd(b, w1, a3b);
                b = Vector512.Create(x[TInput.At(4, 0, 8)]);
                a4a = Vector512.FusedMultiplyAdd(b, w0, a4a);
                a4b = Vector512.FusedMultiplyAdd(b, w1, a4b);
                b = Vector512.Create(x[TInput.At(5, 0, 8)]);
                a5a = Vector512.FusedMultiplyAdd(b, w0, a5a);
                a5b = Vector512.FusedMultiplyAdd(b, w1, a5b);
                b = Vector512.Create(x[TInput.At(6, 0, 8)]);
                a6a = Vector512.FusedMultiplyAdd(b, w0, a6a);
                a6b = Vector512.FusedMultiplyAdd(b, w1, a6b);
                b = Vector512.Create(x[TInput.At(7, 0, 8)]);
                a7a = Vector512.FusedMultiplyAdd(b, w0, a7a);
                a7b = Vector512.FusedMultiplyAdd(b, w1, a7b);

                w0 = TFormat.Odd512(p0, s0);
                w1 = TFormat.Odd512(p1, s1);
                b = Vector512.Create(x[TInput.At(0, 1, 8)]);
                a0a = Vector512.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector512.FusedMultiplyAdd(b, w1, a0b);
                b = Vector512.Create(x[TInput.At(1, 1, 8)]);
                a1a = Vector512.FusedMultiplyAdd(b, w0, a1a);
                a1b = Vector512.FusedMultiplyAdd(b, w1, a1b);
                b = Vector512.Create(x[TInput.At(2, 1, 8)]);
                a2a = Vector512.FusedMultiplyAdd(b, w0, a2a);
                a2b = Vector512.FusedMultiplyAdd(b, w1, a2b);
                b = Vector512.Create(x[TInput.At(3, 1, 8)]);
                a3a = Vector512.FusedMultiplyAdd(b, w0, a3a);
                a3b = Vector512.FusedMultiplyAdd(b, w1, a3b);
                b = Vector512.Create(x[TInput.At(4, 1, 8)]);
                a4a = Vector512.FusedMultiplyAdd(b, w0, a4a);
                a4b = Vector512.FusedMultiplyAdd(b, w1, a4b);
                b = Vector512.Create(x[TInput.At(5, 1, 8)]);
                a5a = Vector512.FusedMultiplyAdd(b, w0, a5a);
                a5b = Vector512.FusedMultiplyAdd(b, w1, a5b);
                b = Vector512.Create(x[TInput.At(6, 1, 8)]);
                a6a = Vector512.FusedMultiplyAdd(b, w0, a6a);
                a6b = Vector512.FusedMultiplyAdd(b, w1, a6b);
                b = Vector512.Create(x[TInput.At(7, 1, 8)]);
                a7a = Vector512.FusedMultiplyAdd(b, w0, a7a);
                a7b = Vector512.FusedMultiplyAdd(b, w1, a7b);

                x += TInput.At(0, 2, 8);
                p0 += TFormat.PairBytes;
                p1 += TFormat.PairBytes;
            }
        }

        Write(in call, 0, 0, a0a);
        Write(in call, 0, 1, a0b);
        Write(in call, 1, 0, a1a);
        Write(in call, 1, 1, a1b);
        Write(in call, 2, 0, a2a);
        Write(in call, 2, 1, a2b);
        Write(in call, 3, 0, a3a);
        Write(in call, 3, 1, a3b);
        Write(in call, 4, 0, a4a);
        Write(in call, 4, 1, a4b);
        Write(in call, 5, 0, a5a);
        Write(in call, 5, 1, a5b);
        Write(in call, 6, 0, a6a);
        Write(in call, 6, 1, a6b);
        Write(in call, 7, 0, a7a);
        Write(in call, 7, 1, a7b);
        FinishOddK<TFormat, TInput>(in call, 8);
    }

    /// <summary>12 rows by 2 panels: 24 accumulators.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tile12x2<TFormat, TInput>(in TileCall call)
        where TFormat : struct, IPanelFormat
        where TInput : struct, ITileInput
    {
        Vector512<float> a0a = Read(in call, 0, 0), a0b = Read(in call, 0, 1);
        Vector512<float> a1a = Read(in call, 1, 0), a1b = Read(in call, 1, 1);
        Vector512<float> a2a = Read(in call, 2, 0), a2b = Read(in call, 2, 1);
        Vector512<float> a3a = Read(in call, 3, 0), a3b = Read(in call, 3, 1);
        Vector512<float> a4a = Read(in call, 4, 0), a4b = Read(in call, 4, 1);
        Vector512<float> a5a = Read(in call, 5, 0), a5b = Read(in call, 5, 1);
        Vector512<float> a6a = Read(in call, 6, 0), a6b = Read(in call, 6, 1);
        Vector512<float> a7a = Read(in call, 7, 0), a7b = Read(in call, 7, 1);
        Vector512<float> a8a = Read(in call, 8, 0), a8b = Read(in call, 8, 1);
        Vector512<float> a9a = Read(in call, 9, 0), a9b = Read(in call, 9, 1);
        Vector512<float> a10a = Read(in call, 10, 0), a10b = Read(in call, 10, 1);
        Vector512<float> a11a = Read(in call, 11, 0), a11b = Read(in call, 11, 1);
        float* x = call.Input;
        byte* p0 = call.Panel;
        byte* p1 = p0 + call.StrideOf(1);
        for (int pairs = call.KCount >> 1; pairs > 0; pairs -= TFormat.GroupPairs)
        {
            Vector512<float> s0 = TFormat.Scale512(p0);
            Vector512<float> s1 = TFormat.Scale512(p1);
            p0 += TFormat.ScaleBytes;
            p1 += TFormat.ScaleBytes;
            for (int pair = Math.Min(pairs, TFormat.GroupPairs); pair > 0; pair--)
            {
                Tiles.Prefetch<TFormat>(p0);
                Tiles.Prefetch<TFormat>(p1);
                Vector512<float> w0 = TFormat.Even512(p0, s0);
                Vector512<float> w1 = TFormat.Even512(p1, s1);
                Vector512<float> b = Vector512.Create(x[TInput.At(0, 0, 12)]);
                a0a = Vector512.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector512.FusedMultiplyAdd(b, w1, a0b);
                b = Vector512.Create(x[TInput.At(1, 0, 12)]);
                a1a = Vector512.FusedMultiplyAdd(b, w0, a1a);
                a1b = Vector512.FusedMultiplyAdd(b, w1, a1b);
                b = Vector512.Create(x[TInput.At(2, 0, 12)]);
                a2a = Vector512.FusedMultiplyAdd(b, w0, a2a);
                a2b = Vector512.FusedMultiplyAdd(b, w1, a2b);
                b = Vector512.Create(x[TInput.At(3, 0, 12)]);
                a3a = Vector512.FusedMultiplyAdd(b, w0, a3a);
                a3b = Vector512.FusedMultiplyAdd(b, w1, a3b);
                b = Vector512.Create(x[TInput.At(4, 0, 12)]);
                a4a = Vector512.FusedMultiplyAdd(b, w0, a4a);
                a4b = Vector512.FusedMultiplyAdd(b, w1, a4b);
                b = Vector512.Create(x[TInput.At(5, 0, 12)]);
                a5a = Vector512.FusedMultiplyAdd(b, w0, a5a);
                a5b = Vector512.FusedMultiplyAdd(b, w1, a5b);
                b = Vector512.Create(x[TInput.At(6, 0, 12)]);
                a6a = Vector512.FusedMultiplyAdd(b, w0, a6a);
                a6b = Vector512.FusedMultiplyAdd(b, w1, a6b);
                b = Vector512.Create(x[TInput.At(7, 0, 12)]);
                a7a = Vector512.FusedMultiplyAdd(b, w0, a7a);
                a7b = Vector512.FusedMultiplyAdd(b, w1, a7b);
                b = Vector512.Create(x[TInput.At(8, 0, 12)]);
                a8a = Vector512.FusedMultiplyAdd(b, w0, a8a);
                a8b = Vector512.FusedMultiplyAdd(b, w1, a8b);
                b = Vector512.Create(x[TInput.At(9, 0, 12)]);
                a9a = Vector512.FusedMultiplyAdd(b, w0, a9a);
                a9b = Vector512.FusedMultiplyAdd(b, w1, a9b);
                b = Vector512.Create(x[TInput.At(10, 0, 12)]);
                a10a = Vector512.FusedMultiplyAdd(b, w0, a10a);
                a10b = Vector512.FusedMultiplyAdd(b, w1, a10b);
                b = Vector512.Create(x[TInput.At(11, 0, 12)]);
                a11a = Vector512.FusedMultiplyAdd(b, w0, a11a);
                a11b = Vector512.FusedMultiplyAdd(b, w1, a11b);

                w0 = TFormat.Odd512(p0, s0);
                w1 = TFormat.Odd512(p1, s1);
                b = Vector512.Create(x[TInput.At(0, 1, 12)]);
                a0a = Vector512.FusedMultiplyAdd(b, w0, a0a);
                a0b = Vector512.FusedMultiplyAdd(b, w1, a0b);
                b = Vector512.Create(x[TInput.At(1, 1, 12)]);
                a1a = Vector512.FusedMultiplyAdd(b, w0, a1a);
                a1b = Vector512.FusedMultiplyAdd(b, w1, a1b);
                b = Vector512.Create(x[TInput.At(2, 1, 12)]);
                a2a = Vector512.FusedMultiplyAdd(b, w0, a2a);
                a2b = Vector512.FusedMultiplyAdd(b, w1, a2b);
                b = Vector512.Create(x[TInput.At(3, 1, 12)]);
                a3a = Vector512.FusedMultiplyAdd(b, w0, a3a);
                a3b = Vector512.FusedMultiplyAdd(b, w1, a3b);
                b = Vector512.Create(x[TInput.At(4, 1, 12)]);
                a4a = Vector512.FusedMultiplyAdd(b, w0, a4a);
                a4b = Vector512.FusedMultiplyAdd(b, w1, a4b);
                b = Vector512.Create(x[TInput.At(5, 1, 12)]);
                a5a = Vector512.FusedMultiplyAdd(b, w0, a5a);
                a5b = Vector512.FusedMultiplyAdd(b, w1, a5b);
                b = Vector512.Create(x[TInput.At(6, 1, 12)]);
                a6a = Vector512.FusedMultiplyAdd(b, w0, a6a);
                a6b = Vector512.FusedMultiplyAdd(b, w1, a6b);
                b = Vector512.Create(x[TInput.At(7, 1, 12)]);
                a7a = Vector512.FusedMultiplyAdd(b, w0, a7a);
                a7b = Vector512.FusedMultiplyAdd(b, w1, a7b);
                b = Vector512.Create(x[TInput.At(8, 1, 12)]);
                a8a = Vector512.FusedMultiplyAdd(b, w0, a8a);
                a8b = Vector512.FusedMultiplyAdd(b, w1, a8b);
                b = Vector512.Create(x[TInput.At(9, 1, 12)]);
                a9a = Vector512.FusedMultiplyAdd(b, w0, a9a);
                a9b = Vector512.FusedMultiplyAdd(b, w1, a9b);
                b = Vector512.Create(x[TInput.At(10, 1, 12)]);
                a10a = Vector512.FusedMultiplyAdd(b, w0, a10a);
                a10b = Vector512.FusedMultiplyAdd(b, w1, a10b);
                b = Vector512.Create(x[TInput.At(11, 1, 12)]);
                a11a = Vector512.FusedMultiplyAdd(b, w0, a11a);
                a11b = Vector512.FusedMultiplyAdd(b, w1, a11b);

                x += TInput.At(0, 2, 12);
                p0 += TFormat.PairBytes;
                p1 += TFormat.PairBytes;
            }
        }

        Write(in call, 0, 0, a0a);
        Write(in call, 0, 1, a0b);
        Write(in call, 1, 0, a1a);
        Write(in call, 1, 1, a1b);
        Write(in call, 2, 0, a2a);
        Write(in call, 2, 1, a2b);
        Write(in call, 3, 0, a3a);
        Write(in call, 3, 1, a3b);
        Write(in call, 4, 0, a4a);
        Write(in call, 4, 1, a4b);
        Write(in call, 5, 0, a5a);
        Write(in call, 5, 1, a5b);
        Write(in call, 6, 0, a6a);
        Write(in call, 6, 1, a6b);
        Write(in call, 7, 0, a7a);
        Write(in call, 7, 1, a7b);
        Write(in call, 8, 0, a8a);
        Write(in call, 8, 1, a8b);
        Write(in call, 9, 0, a9a);
        Write(in call, 9, 1, a9b);
        Write(in call, 10, 0, a10a);
        Write(in call, 10, 1, a10b);
        Write(in call, 11, 0, a11a);
        Write(in call, 11, 1, a11b);
        FinishOddK<TFormat, TInput>(in call, 12);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Read(in TileCall call, int row, int panel)
        => call.Accumulate && row < call.Rows && panel < call.Panels ? Vector512.Load(call.OutputAt(row, panel)) : Vector512<float>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write(in TileCall call, int row, int panel, Vector512<float> value)
    {
        if (row < call.Rows && panel < call.Panels)
        {
            value.Store(call.OutputAt(row, panel));
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
                Vector512<float> scale = TFormat.Scale512(stored + TFormat.GroupOffset(call.KCount - 1));
                Vector512<float> weights = TFormat.Even512(stored + TFormat.PairOffset(call.KCount - 1), scale);
                float* output = call.Output + (panel * call.OutputPanelStride);
                for (int row = 0; row < call.Rows; row++)
                {
                    float* target = output + (row * call.OutputRowStride);
                    Vector512<float> b = Vector512.Create(x[TInput.At(row, 0, tileRows)]);
                    Vector512.FusedMultiplyAdd(b, weights, Vector512.Load(target)).Store(target);
                }
            }
        }
    }
}

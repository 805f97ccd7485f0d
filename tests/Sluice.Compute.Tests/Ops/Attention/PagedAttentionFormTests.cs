using Sluice.Compute.Ops.Attention;
using Sluice.Compute.Tests.Cuda;

namespace Sluice.Compute.Tests.Ops.Attention;

/// <summary>
/// Attention over the paged cache in every form against its definition in double precision. Every slot of the cache that no sequence
/// uses is NaN, and so are the outputs before and the gaps between rows.
/// </summary>
[Collection(Gpu.Collection)]
public sealed class PagedAttentionFormTests
{
    // Norm of the error over the norm of the result, of the batch and of the worst head of a row. On the GPU weights are rounded to
    // 8 (bfloat16) or 11 bits before they meet the values, the result once more: 1.7e-3 to 2.3e-3 and 2.4e-4 of a batch on an H100.
    private const double BFloat16Tolerance = 4e-3;
    private const double Float16Tolerance = 6e-4;
    private const double Float32Tolerance = 2e-6;
    private const double HeadFactor = 5;

    public static TheoryData<Form, AttentionCase> Cases()
    {
        AttentionCase plain = new() { Heads = 32, KvHeads = 8, KeyDim = 128, ValueDim = 128 };
        AttentionCase small = plain with { Heads = 4, KvHeads = 1, KeyDim = 64, ValueDim = 64 };
        int[] mixed = [70, 5, 300, 33, 130, 1, 1000, 64, 65];
        int[] rows = [30, 5, 1, 33, 3, 1, 2, 64, 17];
        AttentionCase[] cases =
        [
            plain with { Contexts = [1], Queries = [1] },
            plain with { Contexts = [16, 1, 130, 17, 1000], Queries = [1, 1, 1, 1, 1] },
            plain with { Contexts = mixed, Queries = rows },
            plain with { Contexts = [4000, 1, 1, 64, 128, 129], Queries = [1, 1, 1, 1, 1, 1] },
            plain with { Contexts = [500, 20, 700], Queries = [2, 4, 3], Window = 100, SoftCap = 20, Sinks = true },
            small with { Contexts = [32768], Queries = [1] },
            small with { Contexts = [20000, 3, 1, 9000], Queries = [1, 3, 1, 4], Window = 4096 },
            small with { Contexts = [.. Enumerable.Range(1, 70).Select(i => i * 37 % 301 + 1)], Queries = [.. Enumerable.Repeat(1, 70)] },
            small with { Contexts = [900, 40], Queries = [1, 1], Window = 1 },
            small with { Contexts = [900, 40], Queries = [1, 3], Gap = 7 },
            plain with { Heads = 5, KvHeads = 5, Contexts = mixed, Queries = rows, BlockSize = 32 },
            plain with { Heads = 5, KvHeads = 1, KeyDim = 80, ValueDim = 80, Contexts = mixed, Queries = rows, BlockSize = 64 },
            plain with { Heads = 48, KvHeads = 2, KeyDim = 96, ValueDim = 96, Contexts = [300, 7, 2000], Queries = [1, 2, 1], Sinks = true },
            plain with { Heads = 4, KvHeads = 4, KeyDim = 8, ValueDim = 8, Contexts = mixed, Queries = rows, SoftCap = 5 },
            plain with { Heads = 6, KvHeads = 3, KeyDim = 33, ValueDim = 18, Contexts = [50, 600], Queries = [1, 4], BlockSize = 48 },
            plain with { Heads = 8, KvHeads = 4, KeyDim = 256, ValueDim = 256, Contexts = mixed, Queries = rows, Window = 50 },
            plain with { Heads = 16, KvHeads = 1, KeyDim = 192, ValueDim = 128, Contexts = [900, 11], Queries = [1, 1] },
        ];
        TheoryData<Form, AttentionCase> data = [];
        foreach (AttentionCase attention in cases)
        {
            foreach (Form form in OpDevice.Forms)
            {
                data.Add(form, attention);
            }

            data.Add(Form.CudaBFloat16, attention with { Type = DType.Float8E4M3 });
        }

        data.Add(Form.CudaFloat16, small with { Contexts = mixed, Queries = rows, Type = DType.Float8E4M3 });
        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void PagedAttention_AnyForm_IsTheDefinition(Form form, AttentionCase attention)
    {
        using OpDevice device = OpDevice.Open(form);
        AttentionData data = new(device, attention);

        float[] actual = data.Run();

        double tolerance = device.Type switch
        {
            DType.BFloat16 => BFloat16Tolerance,
            DType.Float16 => Float16Tolerance,
            _ => Float32Tolerance,
        };
        data.AssertIsDefinition(actual, tolerance, HeadFactor * tolerance);
    }

    [Theory]
    [InlineData(Form.CudaBFloat16, DType.BFloat16)]
    [InlineData(Form.CudaBFloat16, DType.Float8E4M3)]
    [InlineData(Form.CudaFloat16, DType.Float16)]
    public void PagedAttention_CapturedOnce_FollowsContextsAndTables(Form form, DType cacheType)
    {
        using OpDevice device = OpDevice.Open(form);
        int[][] steps = [[3000, 1, 700, 16], [1, 1, 1, 1], [100, 2000, 1, 5], [1, 3000, 3000, 128], [3000, 1, 700, 16]];
        AttentionCase attention = new()
        {
            Heads = 8, KvHeads = 2, KeyDim = 64, ValueDim = 64, Contexts = [3000, 3000, 3000, 3000], Queries = [1, 1, 1, 1], Type = cacheType,
        };
        AttentionData data = new(device, attention);
        data.Run();
        using DeviceGraph graph = device.Backend.Capture(data.Enqueue);
        foreach (int[] contexts in steps)
        {
            data.SetContexts(contexts);
            float[] expected = data.Run();
            device.Poison(data.Output);
            graph.Launch();
            Assert.Equal(expected, device.Read(data.Output));
            Assert.DoesNotContain(float.NaN, expected);
        }
    }

    [Fact]
    public void PagedAttention_RepeatedOnTheGpu_HasTheSameBits()
    {
        // The order in which blocks of threads end is another one each time; the order of additions may not be.
        using OpDevice device = OpDevice.Open(Form.CudaBFloat16);
        AttentionCase attention = new()
        {
            Heads = 8, KvHeads = 2, KeyDim = 64, ValueDim = 64, Contexts = [9000, 40, 3000, 1, 700], Queries = [1, 1, 1, 1, 1],
        };
        AttentionData data = new(device, attention);
        float[] expected = data.Run();
        for (int round = 0; round < 20; round++)
        {
            Assert.Equal(expected, data.Run());
        }
    }

    [Fact]
    public void PagedAttention_EmptyContextOnTheGpu_GivesZeros()
    {
        using OpDevice device = OpDevice.Open(Form.CudaBFloat16);
        AttentionCase attention = new() { Heads = 8, KvHeads = 2, KeyDim = 64, ValueDim = 64, Contexts = [40, 40, 40], Queries = [1, 1, 1] };
        AttentionData data = new(device, attention);
        float[] full = data.Run();

        data.SetContexts([40, 0, 40]);
        float[] actual = data.Run();

        Assert.Equal(full[..512], actual[..512]);
        Assert.Equal(-1, actual.AsSpan(512, 512).IndexOfAnyExcept(0f));
        Assert.Equal(full[1024..], actual[1024..]);
    }
}

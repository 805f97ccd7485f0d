using Sluice.Compute.Ops.Attention;

namespace Sluice.Compute.Tests.Ops.Attention;

public sealed unsafe class PagedAttentionTests
{
    // Attention against a textbook softmax in double precision: float32 sums of up to 700 weights.
    private const double DefinitionTolerance = 2e-5;

    public static TheoryData<AttentionCase> Cases()
    {
        AttentionCase plain = new() { Heads = 4, KvHeads = 2, KeyDim = 64, ValueDim = 64, Contexts = [37], Queries = [37] };
        AttentionCase latent = plain with
        {
            Heads = 16,
            KvHeads = 1,
            KeyDim = 80,
            ValueDim = 64,
            Contexts = [70, 5],
            Queries = [30, 5],
            ValuesInKeys = true,
        };
        TheoryData<AttentionCase> data =
        [
            plain,
            plain with { Contexts = [1], Queries = [1] },
            plain with { Contexts = [16, 1, 130, 17], Queries = [1, 1, 1, 1] },
            plain with { Contexts = [70, 5, 100, 33], Queries = [30, 5, 1, 33] },
            plain with { Contexts = [700], Queries = [3] },
            plain with { Contexts = [1100, 513], Queries = [1, 2] },
            plain with { Heads = 8, KvHeads = 8 },
            plain with { Heads = 7, KvHeads = 1 },
            plain with { Heads = 32, KvHeads = 4, Contexts = [90, 20], Queries = [1, 20] },
            plain with { KeyDim = 8, ValueDim = 8 },
            plain with { KeyDim = 72, ValueDim = 72 },
            plain with { KeyDim = 80, ValueDim = 96 },
            plain with { KeyDim = 192, ValueDim = 128 },
            plain with { KeyDim = 256, ValueDim = 256 },
            plain with { Window = 1 },
            plain with { Window = 10, Contexts = [200, 64], Queries = [150, 1] },
            plain with { Window = 600, Contexts = [1300], Queries = [5] },
            plain with { SoftCap = 5 },
            plain with { Sinks = true },
            plain with { Sinks = true, Contexts = [1, 700], Queries = [1, 2], Window = 40, SoftCap = 5 },
            plain with { Heads = 100, KvHeads = 1, Contexts = [90, 20], Queries = [1, 20] },
            latent,
            latent with { Heads = 128, Contexts = [600, 90], Queries = [1, 3] },
            latent with { Heads = 3, KvHeads = 3, Contexts = [33, 90], Queries = [33, 1] },
            latent with { BlockSize = 1 },
            latent with { BlockSize = 2 },
            latent with { BlockSize = 8 },
            latent with { BlockSize = 32, Window = 21 },
            latent with { KeyDim = 576, ValueDim = 512, Contexts = [70], Queries = [9] },
            plain with { BlockSize = 1 },
            plain with { BlockSize = 4, Contexts = [70, 5], Queries = [30, 5] },
            plain with { BlockSize = 8, Window = 9, Contexts = [70, 5], Queries = [30, 5] },
            plain with { BlockSize = 32, Contexts = [170, 5], Queries = [30, 5] },
            plain with { BlockSize = 48, Contexts = [170, 5], Queries = [30, 5] },
            plain with { BlockSize = 128, Contexts = [300, 5], Queries = [30, 5] },
        ];
        foreach (DType type in new[] { DType.BFloat16, DType.Float16 })
        {
            data.Add(plain with { Type = type });
            data.Add(latent with { Type = type });
            data.Add(latent with { Type = type, BlockSize = 4, Contexts = [600, 31], Queries = [1, 31] });
            data.Add(plain with { Type = type, Contexts = [200, 13], Queries = [1, 1], Window = 33 });
            data.Add(plain with { Type = type, Contexts = [75, 13], Queries = [50, 7], KeyDim = 24, ValueDim = 40, BlockSize = 8 });
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void PagedAttention_AnyCase_HasTheBitsOfTheReference(AttentionCase attention)
    {
        using AttentionBatch batch = new(attention);
        Tensor expected = batch.NewOutput();
        Tensor actual = batch.NewOutput();

        PagedAttentionReference.Run(expected, batch.Queries, batch.Layer, batch.Plan, batch.Shape);
        batch.Backend.PagedAttention(actual, batch.Queries, batch.Layer, batch.Plan, batch.Shape);

        TestTensors.AssertSameBits(expected, actual);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Reference_AnyCase_IsSoftmaxAttention(AttentionCase attention)
    {
        using AttentionBatch batch = new(attention);
        Tensor output = batch.NewOutput();

        PagedAttentionReference.Run(output, batch.Queries, batch.Layer, batch.Plan, batch.Shape);

        batch.AssertIsSoftmaxAttention(output, DefinitionTolerance);
    }

    [Theory]
    [InlineData(1, 0, false, false)]
    [InlineData(16, 0, false, false)]
    [InlineData(16, 0, true, false)]
    [InlineData(16, 0, false, true)]
    [InlineData(16, 700, false, false)]
    public void PagedAttention_LongDecodesOnAnyThreads_HaveTheBitsOfTheReference(int threads, int window, bool sinks, bool valuesInKeys)
    {
        // With many threads the partitions of the contexts are computed apart and merged.
        AttentionCase attention = new()
        {
            Heads = valuesInKeys ? 60 : 6, KvHeads = valuesInKeys ? 1 : 2, KeyDim = valuesInKeys ? 48 : 32, ValueDim = valuesInKeys ? 32 : 40,
            Contexts = [2100, 1, 512, 513], Queries = [1, 1, 1, 2], Window = window, Sinks = sinks, ValuesInKeys = valuesInKeys,
        };
        using AttentionBatch batch = new(attention, threads);
        Tensor expected = batch.NewOutput();
        Tensor actual = batch.NewOutput();

        PagedAttentionReference.Run(expected, batch.Queries, batch.Layer, batch.Plan, batch.Shape);
        batch.Backend.PagedAttention(actual, batch.Queries, batch.Layer, batch.Plan, batch.Shape);

        TestTensors.AssertSameBits(expected, actual);
    }

    [Fact]
    public void PagedAttention_PromptInChunks_HasTheBitsOfThePromptAtOnce()
    {
        AttentionCase whole = new() { Heads = 6, KvHeads = 2, KeyDim = 32, ValueDim = 32, Contexts = [640], Queries = [640] };
        using AttentionBatch batch = new(whole);
        Tensor expected = batch.NewOutput();
        batch.Backend.PagedAttention(expected, batch.Queries, batch.Layer, batch.Plan, batch.Shape);

        Tensor actual = batch.NewOutput();
        int start = 0;
        foreach (int count in new[] { 1, 7, 100, 404, 128 })
        {
            AttentionPlan plan = batch.PlanOf(0, start, count);
            batch.Backend.PagedAttention(actual.SliceRows(start, count), batch.Queries.SliceRows(start, count), batch.Layer, plan, batch.Shape);
            start += count;
        }

        TestTensors.AssertSameBits(expected, actual);
    }

    [Fact]
    public void PagedAttention_NonFiniteValuesOfAnotherSequence_ChangeNothing()
    {
        // The second sequence's last block has room after its context: stale values of a freed block.
        AttentionCase attention = new() { Heads = 4, KvHeads = 2, KeyDim = 32, ValueDim = 32, Contexts = [20, 35], Queries = [20, 35] };
        using AttentionBatch batch = new(attention);
        Tensor expected = batch.NewOutput();
        batch.Backend.PagedAttention(expected, batch.Queries, batch.Layer, batch.Plan, batch.Shape);

        batch.PoisonUnusedSlots();
        Tensor actual = batch.NewOutput();
        batch.Backend.PagedAttention(actual, batch.Queries, batch.Layer, batch.Plan, batch.Shape);

        TestTensors.AssertSameBits(expected, actual);
    }

    [Fact]
    public void PagedAttention_NonFiniteQuery_ChangesNoOtherRow()
    {
        AttentionCase attention = new() { Heads = 4, KvHeads = 2, KeyDim = 32, ValueDim = 32, Contexts = [20], Queries = [20] };
        using AttentionBatch batch = new(attention);
        Tensor expected = batch.NewOutput();
        batch.Backend.PagedAttention(expected, batch.Queries, batch.Layer, batch.Plan, batch.Shape);

        TestTensors.Row(batch.Queries, 9).Fill(float.NaN);
        Tensor actual = batch.NewOutput();
        batch.Backend.PagedAttention(actual, batch.Queries, batch.Layer, batch.Plan, batch.Shape);

        for (int row = 0; row < 20; row++)
        {
            if (row == 9)
            {
                Assert.True(float.IsNaN(TestTensors.Row(actual, row)[0]));
            }
            else
            {
                TestTensors.AssertSameBits(TestTensors.Row(expected, row), TestTensors.Row(actual, row), row);
            }
        }
    }
}

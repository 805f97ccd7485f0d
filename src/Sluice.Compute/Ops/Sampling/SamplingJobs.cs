using Sluice.Compute.Cpu;

namespace Sluice.Compute.Ops.Sampling;

/// <summary>The sampling operations on tensors: rows in parallel, each with its thread's working memory.</summary>
internal static unsafe class SamplingJobs
{
    public static void AdjustLogits(CpuContext context, Tensor logits, Tensor rows, Tensor masks, Tensor edits, Tensor counts)
    {
        AdjustJob job = new() { Logits = logits, Rows = rows, Masks = masks, Edits = edits, Counts = counts };
        context.Pool.Run(ref job, logits.Rows);
    }

    public static void SampleTokens(
        CpuContext context, Tensor tokenIds, Tensor logits, Tensor rows, Tensor lastSampled, Tensor counts)
    {
        context.Scratch.EnsureThreadBytes(RowScratch.SizeBytes(logits.Columns));
        SampleJob job = new()
        {
            TokenIds = tokenIds,
            Logits = logits,
            Rows = rows,
            LastSampled = lastSampled,
            Counts = counts,
            ThreadScratch = context.Scratch.ThreadBuffers,
        };
        context.Pool.Run(ref job, logits.Rows);
    }

    public static void TopLogprobs(CpuContext context, Tensor ids, Tensor logprobs, Tensor ranks, Tensor logits, Tensor tokenIds)
    {
        context.Scratch.EnsureThreadBytes(RowScratch.SizeBytes(logits.Columns));
        LogprobsJob job = new()
        {
            Ids = ids,
            Logprobs = logprobs,
            Ranks = ranks,
            Logits = logits,
            TokenIds = tokenIds,
            ThreadScratch = context.Scratch.ThreadBuffers,
        };
        context.Pool.Run(ref job, logits.Rows);
    }

    private struct AdjustJob : IParallelJob
    {
        public Tensor Logits;
        public Tensor Rows;
        public Tensor Masks;
        public Tensor Edits;
        public Tensor Counts;

        public readonly void Execute(int index, int thread)
        {
            ref readonly LogitRow row = ref SamplingTensors.Element<LogitRow>(Rows, index);
            AdjustLogitsSimd.Row(
                SamplingTensors.Row<float>(Logits, index),
                row,
                SamplingTensors.MaskOf(row, Masks),
                SamplingTensors.EditsOf(row, Edits),
                SamplingTensors.CountsOf(row, Counts));
        }
    }

    private struct SampleJob : IParallelJob
    {
        public Tensor TokenIds;
        public Tensor Logits;
        public Tensor Rows;
        public Tensor LastSampled;
        public Tensor Counts;
        public nint* ThreadScratch;

        public readonly void Execute(int index, int thread)
        {
            ref readonly SamplingRow row = ref SamplingTensors.Element<SamplingRow>(Rows, index);
            RowScratch scratch = new((void*)ThreadScratch[thread], Logits.Columns);
            int token = SampleTokensSimd.Row(SamplingTensors.Row<float>(Logits, index), row, scratch);
            SamplingTensors.Publish(token, index, row, TokenIds, LastSampled, Counts);
        }
    }

    private struct LogprobsJob : IParallelJob
    {
        public Tensor Ids;
        public Tensor Logprobs;
        public Tensor Ranks;
        public Tensor Logits;
        public Tensor TokenIds;
        public nint* ThreadScratch;

        public readonly void Execute(int index, int thread)
        {
            RowScratch scratch = new((void*)ThreadScratch[thread], Logits.Columns);
            SamplingTensors.Row<int>(Ranks, 0)[index] = TopLogprobsSimd.Row(
                SamplingTensors.Row<float>(Logits, index),
                SamplingTensors.Row<int>(TokenIds, 0)[index],
                SamplingTensors.Row<int>(Ids, index),
                SamplingTensors.Row<float>(Logprobs, index),
                scratch);
        }
    }
}

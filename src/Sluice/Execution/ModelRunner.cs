using System.Diagnostics;
using Sluice.Compute;
using Sluice.KvCache;
using Sluice.Models;
using Sluice.Requests;
using Sluice.Sampling;
using Sluice.Scheduling;

namespace Sluice.Execution;

/// <summary>
/// Runs plans on a device: copies the integers, runs the model over all rows, computes logits of the rows that need them, a
/// bounded number at a time, and samples. Owns the backend with everything on it.
/// </summary>
internal sealed class ModelRunner : IStepRunner
{
    private readonly IBackend _backend;
    private readonly ICausalLm _model;
    private readonly Sampler _sampler;
    private readonly SampledTokens _sampled = new();
    private readonly StepTensors _tensors;
    private readonly KvLayer[] _kvLayers;
    private readonly Tensor _gathered; // [logitRows, hiddenSize]
    private readonly Tensor _logits; // float32 [logitRows, vocabulary]
    private readonly string?[] _slotErrors;
    private readonly int _blockSize;
    private readonly int _scratchBlock;

    /// <param name="backend">Owned from now on.</param>
    /// <param name="model">The model on that backend.</param>
    /// <param name="memory">Blocks and context length.</param>
    /// <param name="limits">Largest step.</param>
    /// <param name="kvType">Element type of the cache.</param>
    public ModelRunner(IBackend backend, ICausalLm model, MemoryPlan memory, SchedulerOptions limits, DType kvType)
    {
        _backend = backend;
        _model = model;
        _blockSize = memory.BlockSize;
        _scratchBlock = memory.BlockCount;
        ModelConfig config = model.Config;
        _sampler = new Sampler(backend, config.VocabularySize, limits.MaxSequences, config.EosTokenIds);
        int maxBlocks = (memory.MaxModelLen + _blockSize - 1) / _blockSize;
        _tensors = new StepTensors(backend, Math.Max(limits.MaxBatchedTokens, _blockSize), limits.MaxSequences, maxBlocks);
        int logitRows = MemoryPlan.LogitRows(config.VocabularySize, limits.MaxSequences);
        _gathered = backend.Allocate(logitRows, config.HiddenSize, backend.ActivationType);
        _logits = backend.Allocate(logitRows, config.VocabularySize, DType.Float32);
        _slotErrors = new string?[limits.MaxSequences];
        _kvLayers = new KvLayer[config.LayerCount];
        for (int i = 0; i < _kvLayers.Length; i++)
        {
            // One block more than the scheduler knows of, for the warm-up and the probe.
            _kvLayers[i] = backend.AllocateKvLayer(
                memory.BlockCount + 1, _blockSize, config.KvHeads, config.HeadDim, config.HeadDim, kvType);
        }
    }

    /// <inheritdoc/>
    public void Run(BatchPlan plan, StepResult result, Action forwarded)
    {
        ChangeSlots(plan);
        (Tensor tokenIds, AttentionPlan attention) = _tensors.Upload(plan);
        Tensor hidden = _model.Forward(new BatchInputs(tokenIds, attention, _kvLayers));
        forwarded();
        foreach (PromptScore score in plan.PromptScores)
        {
            ScorePrompt(score, hidden, result);
        }

        Sample(plan, hidden, result);
    }

    /// <inheritdoc/>
    public void Probe() => RunScratch(1);

    /// <summary>
    /// Runs everything once on memory that nobody reads, so that the first request finds code compiled and pages present.
    /// </summary>
    /// <param name="maxTokens">Token budget of a step.</param>
    /// <returns>Time of one token, as a first guess of how fast the device is.</returns>
    public TimeSpan WarmUp(int maxTokens)
    {
        RunScratch(Math.Min(_blockSize, maxTokens));
        SampleScratch(new SamplingParams { Temperature = 0 });
        SampleScratch(new SamplingParams { Temperature = 1, TopP = 0.9f, Logprobs = 1 });
        RunScratch(1);
        long start = Stopwatch.GetTimestamp();
        RunScratch(1);
        return Stopwatch.GetElapsedTime(start);
    }

    /// <inheritdoc/>
    public void Dispose() => _backend.Dispose();

    /// <summary>Makes the sampler know the sequences of the step. A sequence that it refuses fails alone.</summary>
    private void ChangeSlots(BatchPlan plan)
    {
        foreach (SlotChange change in plan.SlotChanges)
        {
            if (change.Sampling is null)
            {
                _sampler.RemoveSequence(change.Slot);
                _slotErrors[change.Slot] = null;
                continue;
            }

            try
            {
                _sampler.AddSequence(change.Slot, change.Sampling, change.Seed, change.Prompt.Span, change.Outputs.Span);
            }
            catch (Exception fault)
            {
                _slotErrors[change.Slot] = Describe(fault);
            }
        }
    }

    private void ScorePrompt(in PromptScore score, Tensor hidden, StepResult result)
    {
        try
        {
            for (int first = 0; first < score.Targets.Length; first += _logits.Rows)
            {
                int count = Math.Min(_logits.Rows, score.Targets.Length - first);
                Tensor logits = _logits.SliceRows(0, count);
                _model.ComputeLogits(hidden.SliceRows(score.FirstRow + first, count), logits);
                _sampler.ScorePrompt(
                    logits, score.Targets.Span.Slice(first, count), score.TopCount, score.Result.Span.Slice(first, count));
            }
        }
        catch (Exception fault)
        {
            result.ItemErrors[score.Item] = Describe(fault);
        }
    }

    private void Sample(BatchPlan plan, Tensor hidden, StepResult result)
    {
        for (int first = 0; first < plan.SampleCount;)
        {
            if (_slotErrors[plan.SampleSlots[first]] is string error)
            {
                result.ItemErrors[plan.SampleItems[first++]] = error;
                continue;
            }

            int count = 1;
            while (count < _logits.Rows && first + count < plan.SampleCount && _slotErrors[plan.SampleSlots[first + count]] is null)
            {
                count++;
            }

            Tensor logits = _logits.SliceRows(0, count);
            _model.ComputeLogits(RowsOf(hidden, plan.SampleRows.AsSpan(first, count)), logits);
            _sampler.Sample(logits, plan.SampleSlots.AsSpan(first, count), _tensors.LastSampled, _sampled);
            for (int i = 0; i < count; i++)
            {
                result.TokenIds[first + i] = _sampled.TokenIds[i];
                result.Logprobs[first + i] = _sampled.Logprobs[i];
                result.ItemErrors[plan.SampleItems[first + i]] ??= _sampled.Errors[i];
            }

            first += count;
        }
    }

    /// <summary>Some rows of the hidden states, rising; in place where they follow each other, as in a step of decodes only.</summary>
    private Tensor RowsOf(Tensor hidden, ReadOnlySpan<int> rows)
    {
        if (rows[^1] - rows[0] == rows.Length - 1)
        {
            return hidden.SliceRows(rows[0], rows.Length);
        }

        Tensor gathered = _gathered.SliceRows(0, rows.Length);
        _backend.GatherRows(gathered, hidden, _tensors.UploadRows(rows));
        return gathered;
    }

    /// <summary>A prompt of zeros in the scratch block.</summary>
    private void RunScratch(int tokenCount)
    {
        Span<int> iota = stackalloc int[tokenCount];
        Span<int> zeros = stackalloc int[tokenCount];
        Span<int> slots = stackalloc int[tokenCount];
        zeros.Clear();
        for (int i = 0; i < tokenCount; i++)
        {
            iota[i] = i;
            slots[i] = (_scratchBlock * _blockSize) + i;
        }

        (Tensor tokenIds, AttentionPlan plan) = _tensors.Upload(zeros, iota, slots, _scratchBlock);
        Tensor hidden = _model.Forward(new BatchInputs(tokenIds, plan, _kvLayers));
        _model.ComputeLogits(hidden.SliceRows(tokenCount - 1, 1), _logits.SliceRows(0, 1));
        _backend.Synchronize();
    }

    private void SampleScratch(SamplingParams sampling)
    {
        _sampler.AddSequence(0, sampling, 0, [0], []);
        _sampler.Sample(_logits.SliceRows(0, 1), [0], _tensors.LastSampled, _sampled);
        _sampler.RemoveSequence(0);
    }

    private static string Describe(Exception fault) => $"Internal error while computing this request ({fault.GetType().Name}).";
}

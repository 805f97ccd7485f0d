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
/// bounded number at a time, and samples. All of this is only enqueued; the ids come back when a step is finished. Owns the backend
/// with everything on it.
/// </summary>
internal sealed class ModelRunner : IStepRunner
{
    // Rows of parameters, masks of new sequences and biases; what finds no room is copied another way.
    private const long SamplingStagingBytes = 1 << 20;

    private readonly IBackend _backend;
    private readonly ICausalLm _model;
    private readonly Sampler _sampler;
    private readonly StepTensors _tensors;
    private readonly LaunchedStep[] _steps = new LaunchedStep[2];
    private readonly DecodeGraphs _graphs = new();
    private readonly KvLayer[] _kvLayers;
    private readonly Tensor _gathered; // [logitRows, hiddenSize]
    private readonly Tensor _logits; // float32 [logitRows, vocabulary]
    private readonly string?[] _slotErrors;
    private readonly int _blockSize;
    private readonly int _blockCount;
    private readonly int _maxSequences;
    private readonly int _maxModelLen;
    private SwapMemory? _swapMemory;
    private int _launchCount;
    private int _finishCount;

    /// <param name="backend">Owned from now on.</param>
    /// <param name="model">The model on that backend.</param>
    /// <param name="memory">Blocks and context length.</param>
    /// <param name="limits">Largest step.</param>
    /// <param name="kvType">Element type of the cache.</param>
    /// <param name="maxLogprobs">Most logprobs a token that a request may ask for; -1 for the whole vocabulary.</param>
    public ModelRunner(IBackend backend, ICausalLm model, MemoryPlan memory, SchedulerOptions limits, DType kvType, int maxLogprobs)
    {
        _backend = backend;
        _model = model;
        _blockSize = memory.BlockSize;
        _blockCount = memory.BlockCount;
        _maxSequences = limits.MaxSequences;
        _maxModelLen = memory.MaxModelLen;
        ModelConfig config = model.Config;
        int logitRows = memory.LogitRows;
        _sampler = new Sampler(
            backend, new SamplerLimits(config.VocabularySize, limits.MaxSequences, logitRows, maxLogprobs), config.EosTokenIds);
        int maxBlocks = (memory.MaxModelLen + _blockSize - 1) / _blockSize;
        // One block more than the scheduler knows of, for padding, the warm-up and the probe.
        _tensors = new StepTensors(
            backend, Math.Max(limits.MaxBatchedTokens, _blockSize), limits.MaxSequences, maxBlocks, _blockSize, scratchBlock: memory.BlockCount);
        for (int i = 0; i < _steps.Length; i++)
        {
            _steps[i] = new LaunchedStep(backend, _tensors.StagingBytes + SamplingStagingBytes, _sampler.CreateResult());
        }

        _gathered = backend.Allocate(logitRows, config.HiddenSize, backend.ActivationType);
        _logits = backend.Allocate(logitRows, config.VocabularySize, DType.Float32);
        _slotErrors = new string?[limits.MaxSequences];
        _kvLayers = new KvLayer[config.LayerCount];
        KvCacheShape cache = config.KvCache;
        for (int i = 0; i < _kvLayers.Length; i++)
        {
            _kvLayers[i] = backend.AllocateKvLayer(
                memory.BlockCount + 1, _blockSize, cache.Heads, cache.KeyDim, cache.ValueDim, kvType, cache.ValuesInKeys);
        }
    }

    /// <summary>Sequences of the largest captured step; 0 when there is none.</summary>
    public int LargestGraph => _graphs.LargestSize;

    /// <inheritdoc/>
    public bool Launch(BatchPlan plan, StepResult result, Action forwarded)
    {
        LaunchedStep step = _steps[_launchCount % _steps.Length];
        NoteOutputs();
        step.Staging.Reset();

        // First of all, since a step that is planned already relies on it even if this one fails.
        ChangeSlots(plan);
        _swapMemory?.Move(plan.MovesOut, toHost: true);
        _swapMemory?.Move(plan.MovesIn, toHost: false);
        Tensor sampleRows;
        Tensor hidden;
        int graphSize = GraphSizeFor(plan);
        if (graphSize > 0)
        {
            _tensors.UploadPadded(plan, graphSize, step.Staging, out sampleRows);
            hidden = _graphs.Launch(graphSize);
        }
        else
        {
            (Tensor tokenIds, AttentionPlan attention) = _tensors.Upload(plan, step.Staging, out sampleRows);
            hidden = Forward(tokenIds, attention);
        }

        forwarded();
        foreach (PromptScore score in plan.PromptScores)
        {
            ScorePrompt(score, hidden, result);
        }

        // A graph computes the logits of all its rows: they serve where every row is sampled.
        Sample(plan, hidden, sampleRows, hasLogits: graphSize > 0 && plan.SampleCount == plan.SequenceCount, step, result);
        step.Fence.Record();
        _launchCount++;
        return step.Fence.IsReached;
    }

    /// <inheritdoc/>
    public void Finish(BatchPlan plan, StepResult result)
    {
        LaunchedStep step = _steps[_finishCount++ % _steps.Length];
        step.Fence.Wait();
        for (int row = 0; row < plan.SampleCount; row++)
        {
            ref string? error = ref result.ItemErrors[plan.SampleItems[row]];
            error ??= step.Sampled.Error(row);
            if (error is null)
            {
                result.TokenIds[row] = step.Sampled.TokenId(row);
                result.Logprobs[row] = step.Sampled.Logprobs(row);
            }
        }
    }

    /// <inheritdoc/>
    public void Probe()
    {
        // What the failed step has enqueued still reads the host memory that the probe writes to.
        _backend.Synchronize();
        RunScratch(1, 1);
    }

    /// <summary>Starts compiling what the device needs, in the background; the weights need not be there yet.</summary>
    /// <param name="maxTokens">Token budget of a step.</param>
    public void Prepare(int maxTokens) => _backend.Prepare(() =>
    {
        RunScratch(1, Math.Min(maxTokens, _maxModelLen));
        RunScratch(Math.Min(maxTokens, _maxSequences), 1);
        SampleScratch();
    });

    /// <summary>
    /// Runs everything once on memory that nobody reads, so that the first request finds code compiled and pages present.
    /// </summary>
    /// <param name="maxTokens">Token budget of a step.</param>
    /// <returns>Time of one token, as a first guess of how fast the device is.</returns>
    public TimeSpan WarmUp(int maxTokens)
    {
        RunScratch(1, Math.Min(Math.Min(_blockSize, maxTokens), _maxModelLen));
        SampleScratch();
        if (_backend.SupportsGraphs)
        {
            WarmUpSizes(maxTokens);
        }

        Probe();
        long start = Stopwatch.GetTimestamp();
        Probe();
        return Stopwatch.GetElapsedTime(start);
    }

    /// <summary>
    /// Takes host memory for blocks of preempted sequences, and measures whether it will be worth using. Called after the warm-up. The
    /// space opens when the memory is there.
    /// </summary>
    /// <param name="space">The scheduler's view of it.</param>
    /// <param name="sizeBytes">Most memory to take.</param>
    /// <param name="maxTokens">Token budget of a step.</param>
    /// <param name="mode">Whether costs decide.</param>
    public void AddSwapSpace(SwapSpace space, long sizeBytes, int maxTokens, PreemptionMode mode)
    {
        int blockCount = (int)Math.Min(sizeBytes / SwapMemory.BytesOf(_kvLayers), int.MaxValue / _blockSize);
        if (blockCount > 0)
        {
            _swapMemory = new SwapMemory(_backend, _kvLayers, blockCount);

            // Measured in any mode: the first copies also make the device ready for them.
            var costs = new SwapCosts(_swapMemory.MeasureSecondsPerBlock(_blockCount), MeasureSecondsPerPromptToken(maxTokens));
            _swapMemory.Fill(space, mode == PreemptionMode.Swap ? SwapCosts.AlwaysMove : costs);
        }
    }

    /// <summary>
    /// Steps of many sizes, for a device that compiles and chooses algorithms by size: as many decodes as possible, which also
    /// compute as many rows of logits, and the largest step of prompts.
    /// </summary>
    private void WarmUpSizes(int maxTokens)
    {
        const int LargestChosen = 512;
        for (int power = 1; power <= Math.Min(LargestChosen, maxTokens); power *= 2)
        {
            RunTokens(power);
            RunTokens(Math.Min(power * 3 / 2, maxTokens));
        }

        RunTokens(maxTokens);
        RunScratch(1, Math.Min(maxTokens, _maxModelLen));

        void RunTokens(int count)
        {
            int sequences = Math.Min(count, _maxSequences);
            RunScratch(sequences, Math.Min(count / sequences, _maxModelLen));
        }
    }

    /// <summary>
    /// Captures decode steps of some sizes, largest first. Each runs once before, so that memory, code and algorithms are ready.
    /// Nothing happens where the device has no graphs.
    /// </summary>
    /// <param name="sizes">Numbers of sequences, rising; those with more rows than logits have are left out.</param>
    /// <returns>Graphs captured.</returns>
    public int CaptureGraphs(ReadOnlySpan<int> sizes)
    {
        if (!_backend.SupportsGraphs)
        {
            return 0;
        }

        LaunchedStep step = _steps[0];
        for (int i = sizes.Length - 1; i >= 0; i--)
        {
            int size = sizes[i];
            if (size > _logits.Rows)
            {
                continue;
            }

            step.Staging.Reset();
            (Tensor tokenIds, AttentionPlan plan) = _tensors.UploadPadded(null, size, step.Staging, out _);
            Tensor hidden = default;
            void Decode()
            {
                hidden = Forward(tokenIds, plan);
                _model.ComputeLogits(hidden, _logits.SliceRows(0, size));
            }

            Decode();
            _backend.Synchronize();
            DeviceGraph graph = _backend.Capture(Decode);
            _graphs.Add(size, hidden, graph);
        }

        return _graphs.Count;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _graphs.Dispose();
        _swapMemory?.Dispose();
        foreach (LaunchedStep step in _steps)
        {
            step.Dispose();
        }

        _backend.Dispose();
    }

    /// <summary>The size of the graph for a step of one token a sequence; 0 when it must run operation by operation.</summary>
    private int GraphSizeFor(BatchPlan plan) =>
        plan.MaxQueryCount == 1 && plan.PromptScores.Count == 0 ? _graphs.SizeFor(plan.SequenceCount) : 0;

    private Tensor Forward(Tensor tokenIds, AttentionPlan attention)
    {
        _backend.ResolveTokenIds(tokenIds, _tensors.LastSampled);
        return _model.Forward(new BatchInputs(tokenIds, attention, _kvLayers));
    }

    /// <summary>
    /// Sequences whose earlier tokens decide what may follow must know those of the step before; only then is it waited for. Its
    /// results are still there, whether another thread has finished it or not.
    /// </summary>
    private void NoteOutputs()
    {
        LaunchedStep previous = _steps[(_launchCount + 1) % _steps.Length];
        if (previous.Sampled.OutputRows.Length > 0)
        {
            previous.Fence.Wait();
            _sampler.NoteOutputs(previous.Sampled);
        }
    }

    /// <summary>Makes the sampler know the sequences of the step. A sequence that it refuses fails alone.</summary>
    private void ChangeSlots(BatchPlan plan)
    {
        foreach (SlotChange change in plan.SlotChanges)
        {
            _slotErrors[change.Slot] = null;
            if (change.Sampling is null)
            {
                _sampler.RemoveSequence(change.Slot);
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

    private void Sample(
        BatchPlan plan, Tensor hidden, Tensor sampleRows, bool hasLogits, LaunchedStep step, StepResult result)
    {
        _sampler.Begin(plan.SampleSlots.AsSpan(0, plan.SampleCount), step.Sampled);
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

            count = _sampler.PartOf(plan.SampleSlots.AsSpan(first, count), step.Sampled);
            Tensor logits = _logits.SliceRows(hasLogits ? first : 0, count);
            if (!hasLogits)
            {
                _model.ComputeLogits(RowsOf(hidden, plan.SampleRows.AsSpan(first, count), sampleRows.SliceColumns(first, count)), logits);
            }

            _sampler.Sample(
                logits, plan.SampleSlots.AsSpan(first, count), first, _tensors.LastSampled, step.Sampled, step.Staging);
            first += count;
        }
    }

    /// <summary>Some rows of the hidden states, rising; in place where they follow each other, as in a step of decodes only.</summary>
    /// <param name="hidden">[tokens, hiddenSize].</param>
    /// <param name="rows">The rows.</param>
    /// <param name="deviceRows">The same on the device: [1, rows].</param>
    private Tensor RowsOf(Tensor hidden, ReadOnlySpan<int> rows, Tensor deviceRows)
    {
        if (rows[^1] - rows[0] == rows.Length - 1)
        {
            return hidden.SliceRows(rows[0], rows.Length);
        }

        Tensor gathered = _gathered.SliceRows(0, rows.Length);
        _backend.GatherRows(gathered, hidden, deviceRows);
        return gathered;
    }

    /// <summary>
    /// Time of a prompt token in a step of as many as take a while. A device that works on many at a time is asked for many at once; it
    /// has run steps of all sizes in the warm-up.
    /// </summary>
    private double MeasureSecondsPerPromptToken(int maxTokens)
    {
        const int ManyTokens = 1024;
        double best = double.MaxValue;
        int length = Math.Min(_blockSize, maxTokens);
        int most = Math.Clamp(Math.Min(maxTokens, ManyTokens) / length, 1, _maxSequences);
        for (int count = _backend.SupportsGraphs ? most : 1; ; count = Math.Min(count * 4, most))
        {
            long start = Stopwatch.GetTimestamp();
            RunScratch(count, length);
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            best = Math.Min(best, seconds / (count * length));
            if (count == most || seconds > 0.025)
            {
                return best;
            }
        }
    }

    /// <summary>Prompts of zeros in the scratch block, as far as the logits of some rows.</summary>
    private void RunScratch(int sequenceCount, int length)
    {
        LaunchedStep step = _steps[_launchCount % _steps.Length];
        step.Staging.Reset();
        (Tensor tokenIds, AttentionPlan plan) = _tensors.UploadScratch(sequenceCount, length, step.Staging);
        Tensor hidden = Forward(tokenIds, plan);
        int rows = Math.Min(_logits.Rows, sequenceCount);
        _model.ComputeLogits(hidden.SliceRows(hidden.Rows - rows, rows), _logits.SliceRows(0, rows));
        _backend.Synchronize();
    }

    /// <summary>A choice of every kind, so that the operations behind it have run.</summary>
    private void SampleScratch()
    {
        SampleScratch(new SamplingParams { Temperature = 0 });
        SampleScratch(new SamplingParams { Temperature = 1, TopP = 0.9f, Logprobs = 1 });
        if (_backend.SupportsGraphs)
        {
            // On the processor this would only take the memory of penalties.
            SampleScratch(new SamplingParams { Temperature = 1, RepetitionPenalty = 1.1f, AllowedTokenIds = [0], Logprobs = 1 });
        }
    }

    private void SampleScratch(SamplingParams sampling)
    {
        LaunchedStep step = _steps[_launchCount % _steps.Length];
        step.Staging.Reset();
        _sampler.AddSequence(0, sampling, 0, [0], []);
        _sampler.Begin([0], step.Sampled);
        _sampler.Sample(_logits.SliceRows(0, 1), [0], 0, _tensors.LastSampled, step.Sampled, step.Staging);
        _backend.Synchronize();
        _sampler.RemoveSequence(0);
    }

    private static string Describe(Exception fault) => $"Internal error while computing this request ({fault.GetType().Name}).";
}

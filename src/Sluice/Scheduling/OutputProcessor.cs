using Sluice.Execution;
using Sluice.KvCache;
using Sluice.Requests;
using Sluice.Sampling;

namespace Sluice.Scheduling;

/// <summary>
/// Takes requests in, applies what steps computed to their sequences, and ends them. Every choice gets exactly one end, here.
/// Used by the engine loop only.
/// </summary>
internal sealed class OutputProcessor
{
    private readonly EngineLoopOptions _options;
    private readonly Scheduler _scheduler;
    private readonly PrefixCache? _cache;
    private readonly EngineMetrics _metrics;
    private readonly Action<ActiveRequest> _ended;
    private readonly int[] _eosTokenIds;
    private long _requestCount;
    private long _sequenceCount;

    /// <param name="options">Resolved options.</param>
    /// <param name="scheduler">Told of new sequences, computed tokens and ends.</param>
    /// <param name="cache">Where choices of one request share their prompt, or none.</param>
    /// <param name="metrics">Where events are counted.</param>
    /// <param name="ended">Called when the last choice of a request ended.</param>
    public OutputProcessor(
        EngineLoopOptions options, Scheduler scheduler, PrefixCache? cache, EngineMetrics metrics, Action<ActiveRequest> ended)
    {
        _options = options;
        _scheduler = scheduler;
        _cache = cache;
        _metrics = metrics;
        _ended = ended;
        _eosTokenIds = [.. options.EosTokenIds];
    }

    /// <summary>Choices that wait for the first choice of their request.</summary>
    public int HeldCount { get; private set; }

    /// <summary>
    /// Makes the choices of a request. They share the prompt through the prefix cache: the first computes it, the others start when
    /// its blocks can be found.
    /// </summary>
    public void Admit(ActiveRequest request)
    {
        // Made whole before anything knows of it, so that a failure here leaves nothing behind.
        request.RootKey = _cache?.RootKey(request.Request.CacheSalt) ?? UInt128.Zero;
        bool shares = _cache is not null && (request.Prompt.Length > _cache.BlockSize || request.PromptLogprobs is not null);
        long number = _requestCount++;
        var choices = new Sequence[request.Sampling.N];
        for (int i = 0; i < choices.Length; i++)
        {
            var sequence = new Sequence(request, i, _sequenceCount++, RequestSeed.Of(request.Sampling, _options.Seed, number, i));
            sequence.Timings.Arrived = request.Arrived;
            choices[i] = sequence;
        }

        request.Choices = choices;
        for (int i = 0; i < choices.Length; i++)
        {
            if (i == 0 || !shares)
            {
                _scheduler.Add(choices[i]);
            }
            else
            {
                HeldCount++;
            }
        }
    }

    /// <summary>Ends a request that could not be taken in.</summary>
    public void Refuse(ActiveRequest request, Exception fault) => Refuse(request, FinishReason.Error, Describe(fault));

    /// <summary>Tells the reader of the end and forgets the request, whatever the books say of it.</summary>
    public void Refuse(ActiveRequest request, FinishReason reason, string? error)
    {
        for (int i = 0; i < request.Sampling.N; i++)
        {
            request.Stream.Finish(i, reason, error: error);
        }

        _ended(request);
    }

    /// <summary>Applies a step that is done.</summary>
    public void Apply(EngineStep step, long now)
    {
        BatchPlan plan = step.Plan;
        int sample = 0;
        for (int item = 0; item < plan.SequenceCount; item++)
        {
            Sequence sequence = plan.Sequences[item];
            int row = sample < plan.SampleCount && plan.SampleItems[sample] == item ? sample++ : -1;
            if (sequence.State == SequenceState.Finished)
            {
                // Aborted, or ended by a token of the step before: what was computed beyond is dropped.
                continue;
            }

            string? error = step.Result.Fault is Exception fault ? Describe(fault) : step.Result.ItemErrors[item];
            if (error is not null)
            {
                Finish(sequence, FinishReason.Error, now, error: error);
                continue;
            }

            _scheduler.OnComputed(sequence, plan.TokenCountOf(item));
            NotePrompt(sequence);
            if (row >= 0)
            {
                Append(sequence, step.Result.TokenIds[row], step.Result.Logprobs[row], now);
            }
        }
    }

    /// <summary>Ends a choice in whatever state it is; a second end is ignored.</summary>
    public void Finish(Sequence sequence, FinishReason reason, long now, int? stopTokenId = null, string? error = null)
    {
        if (sequence.State == SequenceState.Finished)
        {
            return;
        }

        ActiveRequest request = sequence.Request;
        HeldCount -= sequence.State == SequenceState.Held ? 1 : 0;
        _scheduler.Finish(sequence);
        _metrics.OnFinished(sequence.Timings, reason, sequence.Prompt.Length, sequence.OutputCount, now);
        request.Stream.Finish(sequence.ChoiceIndex, reason, stopTokenId, error);
        if (--request.OpenChoiceCount == 0)
        {
            _ended(request);
        }
        else if (!sequence.IsPromptComputed)
        {
            ReleaseHeld(request);
        }
    }

    /// <summary>Ends one choice of a request, or all with the index -1.</summary>
    public void Finish(ActiveRequest request, int choiceIndex, FinishReason reason, long now, string? error = null)
    {
        // Backwards, so that ending the first choice does not start the others.
        for (int i = request.Choices.Length - 1; i >= 0; i--)
        {
            if (choiceIndex < 0 || choiceIndex == i)
            {
                Finish(request.Choices[i], reason, now, error: error);
            }
        }
    }

    /// <summary>What a client may read of a fault: no path, no stack.</summary>
    private static string Describe(Exception fault) => $"Internal error while computing this request ({fault.GetType().Name}).";

    private void Append(Sequence sequence, int tokenId, PositionLogprobs? logprobs, long now)
    {
        ActiveRequest request = sequence.Request;
        sequence.PendingCount--;
        sequence.Append(tokenId);
        _metrics.OnTokens(ref sequence.Timings, 1, now);
        if (sequence.OutputCount == 1)
        {
            request.Stream.Begin(sequence.ChoiceIndex, sequence.CachedTokenCount, request.PromptLogprobs);
        }

        request.Stream.Append(sequence.ChoiceIndex, tokenId, logprobs);
        if (sequence.OutputCount >= request.Sampling.MinTokens)
        {
            if (!request.Sampling.IgnoreEos && _eosTokenIds.AsSpan().Contains(tokenId))
            {
                Finish(sequence, FinishReason.Stop, now);
                return;
            }

            if (request.StopTokenIds.AsSpan().Contains(tokenId))
            {
                Finish(sequence, FinishReason.Stop, now, stopTokenId: tokenId);
                return;
            }
        }

        if (sequence.OutputCount >= sequence.MaxOutputCount)
        {
            Finish(sequence, FinishReason.Length, now);
        }
    }

    private void NotePrompt(Sequence sequence)
    {
        if (sequence.IsPromptComputed || sequence.ComputedCount < sequence.Prompt.Length)
        {
            return;
        }

        sequence.IsPromptComputed = true;
        sequence.Request.IsPromptScored = true;
        _metrics.OnPromptComputed(sequence.Prompt.Length, sequence.CachedTokenCount);
        ReleaseHeld(sequence.Request);
    }

    private void ReleaseHeld(ActiveRequest request)
    {
        if (HeldCount == 0)
        {
            return;
        }

        foreach (Sequence sequence in request.Choices)
        {
            if (sequence.State == SequenceState.Held)
            {
                HeldCount--;
                _scheduler.Add(sequence);
            }
        }
    }
}

using Sluice.Requests;

namespace Sluice.Scheduling;

/// <summary>A request in the engine with its choices. Made by <see cref="EngineLoop.Submit"/>; then the loop's own.</summary>
internal sealed class ActiveRequest
{
    /// <param name="request">A request that was checked.</param>
    /// <param name="maxOutputCount">Most tokens of a choice, from the request and the context length.</param>
    /// <param name="arrived">When it came in, in Stopwatch ticks.</param>
    public ActiveRequest(GenerationRequest request, int maxOutputCount, long arrived)
    {
        Request = request;
        MaxOutputCount = maxOutputCount;
        Arrived = arrived;
        Prompt = [.. request.PromptTokenIds];
        StopTokenIds = [.. request.Sampling.StopTokenIds];
        OpenChoiceCount = request.Sampling.N;
        if (request.Sampling.PromptLogprobs is not null)
        {
            PromptLogprobs = new PositionLogprobs?[Prompt.Length];
        }
    }

    public GenerationRequest Request { get; }

    public string Id => Request.Id;

    public SamplingParams Sampling => Request.Sampling;

    public int[] Prompt { get; }

    public int[] StopTokenIds { get; }

    public int MaxOutputCount { get; }

    public long Arrived { get; }

    /// <summary>Set once, before the loop sees the request.</summary>
    public RequestStream Stream { get; set; } = null!;

    /// <summary>Parent key of the first block of the prompt.</summary>
    public UInt128 RootKey { get; set; }

    /// <summary>The choices; empty until the loop has taken the request in.</summary>
    public Sequence[] Choices { get; set; } = [];

    /// <summary>Choices that have not ended.</summary>
    public int OpenChoiceCount { get; set; }

    /// <summary>Filled step by step while the first choice's prompt is computed; shared by all choices.</summary>
    public PositionLogprobs?[]? PromptLogprobs { get; }

    /// <summary>True once <see cref="PromptLogprobs"/> is complete.</summary>
    public bool IsPromptScored { get; set; }

    /// <summary>True while every row of the prompt must be computed, whatever the prefix cache holds.</summary>
    public bool NeedsPromptScores => PromptLogprobs is not null && !IsPromptScored;
}

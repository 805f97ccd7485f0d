using System.Diagnostics;

namespace Sluice;

/// <summary>
/// When the stages of one sequence happened, in <see cref="Stopwatch"/> ticks; 0 for what has not happened. A field of the
/// engine's sequence, written through <see cref="EngineMetrics"/> by the engine loop only.
/// </summary>
internal struct RequestTimings
{
    /// <summary>The request was submitted.</summary>
    public long Arrived;

    /// <summary>Its first tokens were scheduled.</summary>
    public long Scheduled;

    /// <summary>The first generated token reached the loop.</summary>
    public long FirstToken;

    /// <summary>The last generated token so far reached the loop.</summary>
    public long LastToken;
}

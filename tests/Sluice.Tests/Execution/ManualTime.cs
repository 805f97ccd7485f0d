using System.Diagnostics;

namespace Sluice.Tests.Execution;

/// <summary>A clock that moves when the test says so; its timestamps are Stopwatch ticks.</summary>
internal sealed class ManualTime : TimeProvider
{
    private long _ticks = Stopwatch.Frequency;

    public override long TimestampFrequency => Stopwatch.Frequency;

    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    public void Advance(double seconds) => Interlocked.Add(ref _ticks, (long)(seconds * Stopwatch.Frequency));
}

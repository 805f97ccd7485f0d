namespace Sluice.Scheduling;

/// <summary>
/// Who goes first: lower priority, then earlier arrival. With first come, first served all priorities are 0. A preempted
/// sequence keeps its arrival and so stands at the head of the waiting ones again.
/// </summary>
internal sealed class SequenceOrder : IComparer<Sequence>
{
    public static readonly SequenceOrder Instance = new();

    public int Compare(Sequence? x, Sequence? y)
    {
        int byPriority = x!.Priority.CompareTo(y!.Priority);
        return byPriority != 0 ? byPriority : x.Order.CompareTo(y.Order);
    }
}

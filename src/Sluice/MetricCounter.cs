namespace Sluice;

/// <summary>A count that only grows. Written by any thread, read by scrapes.</summary>
/// <param name="name">Name without the <c>vllm:</c> of the Prometheus text.</param>
/// <param name="help">One line for people.</param>
/// <param name="labelName">A label of its own, such as <c>finished_reason</c>.</param>
/// <param name="labelValue">Its value.</param>
internal sealed class MetricCounter(string name, string help, string? labelName = null, string? labelValue = null)
{
    private long _value;

    public string Name { get; } = name;

    public string Help { get; } = help;

    public string? LabelName { get; } = labelName;

    public string? LabelValue { get; } = labelValue;

    public long Value => Volatile.Read(ref _value);

    public void Add(long amount)
    {
        if (amount != 0)
        {
            Interlocked.Add(ref _value, amount);
        }
    }
}

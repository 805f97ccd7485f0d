namespace Sluice;

/// <summary>A value read at the moment of a scrape; nothing is recorded in between.</summary>
/// <param name="name">Name without the <c>vllm:</c> of the Prometheus text.</param>
/// <param name="help">One line for people.</param>
/// <param name="read">Called on the scraping thread.</param>
internal sealed class MetricGauge(string name, string help, Func<double> read)
{
    public string Name { get; } = name;

    public string Help { get; } = help;

    public double Value => read();
}

/// <summary>What the scheduler holds at a moment.</summary>
/// <param name="Running">Sequences in the running set.</param>
/// <param name="Waiting">Sequences that wait for their first step or to be resumed.</param>
/// <param name="Swapped">Sequences whose KV blocks lie in host memory.</param>
/// <param name="KvUsage">Share of KV blocks in use, 0 to 1.</param>
/// <param name="SwapUsage">Share of the swap space in use, 0 to 1.</param>
internal readonly record struct EngineGauges(int Running, int Waiting, int Swapped, double KvUsage, double SwapUsage);

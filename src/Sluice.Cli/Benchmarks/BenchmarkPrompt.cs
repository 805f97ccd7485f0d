namespace Sluice.Cli.Benchmarks;

/// <summary>One request of a benchmark: its prompt, and how many tokens are generated whatever they are.</summary>
internal sealed record BenchmarkPrompt(IReadOnlyList<int> TokenIds, int OutputTokenCount);

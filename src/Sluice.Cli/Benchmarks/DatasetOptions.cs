using Sluice.Cli.Flags;

namespace Sluice.Cli.Benchmarks;

/// <summary>Which prompts a benchmark sends.</summary>
internal sealed record DatasetOptions
{
    public required string Name { get; init; }

    public string? Path { get; init; }

    public int PromptCount { get; init; } = 1000;

    public int? InputLength { get; init; }

    public int? OutputLength { get; init; }

    public int? PrefixLength { get; init; }

    public double RangeRatio { get; init; }

    public int PrefixCount { get; init; } = 10;

    public int RepeatedPrefixLength { get; init; } = 256;

    public int RepeatedSuffixLength { get; init; } = 256;

    public int RepeatedOutputLength { get; init; } = 128;

    public int Seed { get; init; }

    public static DatasetOptions Bind(FlagValues values)
    {
        string? path = values.Text("dataset-path") ?? values.Text("dataset");
        var options = new DatasetOptions { Name = values.Text("dataset-name") ?? (path is null ? "random" : "sharegpt"), Path = path };
        options = options with
        {
            PromptCount = values.Count("num-prompts") ?? options.PromptCount,
            InputLength = values.Count("input-len"),
            OutputLength = values.Count("output-len"),
            PrefixLength = values.Count("prefix-len"),
            RangeRatio = values.Number("random-range-ratio") ?? options.RangeRatio,
            PrefixCount = values.Count("prefix-repetition-num-prefixes") ?? options.PrefixCount,
            RepeatedPrefixLength = values.Count("prefix-repetition-prefix-len") ?? options.RepeatedPrefixLength,
            RepeatedSuffixLength = values.Count("prefix-repetition-suffix-len") ?? options.RepeatedSuffixLength,
            RepeatedOutputLength = values.Count("prefix-repetition-output-len") ?? options.RepeatedOutputLength,
            Seed = (int)(values.Integer("seed") ?? 0),
        };
        if (path is null && options.Name is "sharegpt" or "sonnet" or "custom")
        {
            throw new UserErrorException($"--dataset-name {options.Name} needs its file: --dataset-path FILE");
        }

        return options;
    }
}

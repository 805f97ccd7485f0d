using Sluice.Text;

namespace Sluice.Cli.Benchmarks;

/// <summary>Makes a benchmark's prompts, the same ones for the same seed.</summary>
internal static class Datasets
{
    /// <exception cref="UserErrorException">A file is missing or not of its form, or the model has no tokenizer for its texts.</exception>
    public static IReadOnlyList<BenchmarkPrompt> Create(DatasetOptions options, LlmEngine engine)
    {
        var random = new Random(options.Seed);
        return options.Name switch
        {
            "random" => RandomDataset.Create(options, engine, random),
            "prefix_repetition" => RandomDataset.CreateWithRepeatedPrefixes(options, engine, random),
            "sharegpt" => ConversationDataset.Create(options, RequireTokenizer(options, engine), random),
            "sonnet" => SonnetDataset.Create(options, RequireTokenizer(options, engine), engine.ChatTemplate, random),
            "custom" => LineDataset.Create(options, RequireTokenizer(options, engine)),
            _ => throw new ArgumentException($"No data set is called {options.Name}.", nameof(options)),
        };
    }

    /// <summary>The lines of a data set's file.</summary>
    public static string[] ReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"--dataset-path {path} cannot be read: {exception.Message}");
        }
    }

    /// <summary>As many prompts as asked for; a small data set starts over.</summary>
    public static IReadOnlyList<BenchmarkPrompt> Repeat(IReadOnlyList<BenchmarkPrompt> prompts, DatasetOptions options) =>
        prompts.Count == 0
            ? throw new UserErrorException($"--dataset-path {options.Path} has no prompt that a benchmark can use.")
            : [.. Enumerable.Range(0, options.PromptCount).Select(index => prompts[index % prompts.Count])];

    private static Tokenizer RequireTokenizer(DatasetOptions options, LlmEngine engine) =>
        engine.Tokenizer ?? throw new UserErrorException($"--dataset-name {options.Name} has texts, and the model has no tokenizer; use --dataset-name random.");
}

using System.Text.Json;
using Sluice.Text;

namespace Sluice.Cli.Benchmarks;

/// <summary>One JSON object a line, each with a <c>prompt</c> and, if it likes, an <c>output_tokens</c>.</summary>
internal static class LineDataset
{
    private const int StandardOutputLength = 256;

    public static IReadOnlyList<BenchmarkPrompt> Create(DatasetOptions options, Tokenizer tokenizer)
    {
        var prompts = new List<BenchmarkPrompt>();
        string[] lines = Datasets.ReadLines(options.Path!);
        for (int number = 1; number <= lines.Length && prompts.Count < options.PromptCount; number++)
        {
            if (lines[number - 1].Trim().Length == 0)
            {
                continue;
            }

            try
            {
                using JsonDocument document = JsonDocument.Parse(lines[number - 1]);
                string prompt = document.RootElement.GetProperty("prompt").GetString() ?? "";
                int outputCount = options.OutputLength
                    ?? (document.RootElement.TryGetProperty("output_tokens", out JsonElement count) ? count.GetInt32() : StandardOutputLength);
                prompts.Add(new BenchmarkPrompt(tokenizer.Encode(prompt), outputCount));
            }
            catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
            {
                throw new UserErrorException($"--dataset-path {options.Path}, line {number}: expected an object with a \"prompt\" text.");
            }
        }

        return Datasets.Repeat(prompts, options);
    }
}

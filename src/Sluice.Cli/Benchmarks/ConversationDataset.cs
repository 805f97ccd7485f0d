using System.Text.Json;
using Sluice.Text;

namespace Sluice.Cli.Benchmarks;

/// <summary>Conversations in ShareGPT's form: the first turn is the prompt, the second says how long the answer is.</summary>
internal static class ConversationDataset
{
    // vLLM's own limits: they leave out conversations that say nothing about serving.
    private const int ShortestLength = 4;
    private const int LongestPrompt = 1024;
    private const int LongestTotal = 2048;

    public static IReadOnlyList<BenchmarkPrompt> Create(DatasetOptions options, Tokenizer tokenizer, Random random)
    {
        (string Prompt, string Answer)[] conversations = [.. Read(options.Path!)];
        random.Shuffle(conversations);
        var prompts = new List<BenchmarkPrompt>();
        foreach ((string prompt, string answer) in conversations)
        {
            if (prompts.Count == options.PromptCount)
            {
                break;
            }

            int[] tokens = tokenizer.Encode(prompt);
            int outputCount = options.OutputLength ?? tokenizer.Encode(answer).Length;
            bool fits = tokens.Length >= ShortestLength && tokens.Length <= LongestPrompt && tokens.Length + outputCount <= LongestTotal;
            if (fits && (options.OutputLength is not null || outputCount >= ShortestLength))
            {
                prompts.Add(new BenchmarkPrompt(tokens, outputCount));
            }
        }

        return Datasets.Repeat(prompts, options);
    }

    private static List<(string Prompt, string Answer)> Read(string path)
    {
        var conversations = new List<(string Prompt, string Answer)>();
        try
        {
            using FileStream stream = File.OpenRead(path);
            using JsonDocument document = JsonDocument.Parse(stream);
            foreach (JsonElement entry in document.RootElement.EnumerateArray())
            {
                if (entry.TryGetProperty("conversations", out JsonElement turns) && turns.GetArrayLength() >= 2)
                {
                    conversations.Add((turns[0].GetProperty("value").GetString() ?? "", turns[1].GetProperty("value").GetString() ?? ""));
                }
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new UserErrorException($"--dataset-path {path} is not a JSON list of conversations with \"value\" texts: {exception.Message}");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"--dataset-path {path} cannot be read: {exception.Message}");
        }

        return conversations;
    }
}

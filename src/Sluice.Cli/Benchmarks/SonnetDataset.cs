using System.Text.Json;
using Sluice.Text;

namespace Sluice.Cli.Benchmarks;

/// <summary>Lines of a poem up to a length; a fixed number of lines at the start is the same in all prompts.</summary>
internal static class SonnetDataset
{
    private const string Instruction = "Pick as many lines as you can from these poem lines:\n";
    private const int StandardInputLength = 550;
    private const int StandardOutputLength = 150;
    private const int StandardPrefixLength = 200;

    public static IReadOnlyList<BenchmarkPrompt> Create(DatasetOptions options, Tokenizer tokenizer, ChatTemplate? template, Random random)
    {
        string[] lines = [.. Datasets.ReadLines(options.Path!).Where(line => line.Trim().Length > 0)];
        if (lines.Length == 0)
        {
            throw new UserErrorException($"--dataset-path {options.Path} has no lines.");
        }

        int inputLength = options.InputLength ?? StandardInputLength;
        int prefixLength = options.PrefixLength ?? StandardPrefixLength;
        double lineLength = lines.Average(line => tokenizer.Encode(line + "\n", addSpecialTokens: false).Length);
        int frameLength = Encode(Instruction, tokenizer, template).Length;
        if (inputLength <= frameLength || prefixLength > inputLength)
        {
            throw new UserErrorException($"--input-len {inputLength} must be above the {frameLength} tokens of the instruction, and --prefix-len {prefixLength} at most that.");
        }

        int lineCount = (int)Math.Round((inputLength - frameLength) / lineLength);
        int prefixCount = Math.Clamp((int)Math.Round((prefixLength - frameLength) / lineLength), 0, Math.Min(lineCount, lines.Length));
        var prompts = new BenchmarkPrompt[options.PromptCount];
        for (int index = 0; index < prompts.Length; index++)
        {
            IReadOnlyList<int> tokens;
            int count = lineCount;
            do
            {
                IEnumerable<string> chosen = lines.Take(prefixCount).Concat(Enumerable.Range(0, count - prefixCount).Select(_ => lines[random.Next(lines.Length)]));
                tokens = Encode(Instruction + string.Join('\n', chosen), tokenizer, template);
            }
            while (tokens.Count > inputLength && --count >= prefixCount);

            prompts[index] = new BenchmarkPrompt(tokens, options.OutputLength ?? StandardOutputLength);
        }

        return prompts;
    }

    private static int[] Encode(string text, Tokenizer tokenizer, ChatTemplate? template)
    {
        if (template is null)
        {
            return tokenizer.Encode(text);
        }

        using JsonDocument messages = JsonDocument.Parse($"[{{\"role\":\"user\",\"content\":\"{JsonEncodedText.Encode(text)}\"}}]");
        RenderedPrompt prompt = template.Render(new ChatTemplateInput { Messages = messages.RootElement });
        return tokenizer.Encode(prompt.Text, addSpecialTokens: false, prompt.ContentSpans);
    }
}

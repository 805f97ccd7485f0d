using System.Text.Json;

namespace Sluice.Tests.Models;

/// <summary>A step of greedy generation as the reference computed it.</summary>
internal sealed record ExpectedStep(int Token, double Margin, int[] TopIds, double[] TopLogprobs);

/// <summary>A prompt and what the reference computed for it.</summary>
internal sealed record ExpectedCase(int[] Prompt, double[] PromptLogprobs, double[] LastLogits, ExpectedStep[] Steps)
{
    /// <summary>Reads expected.json of a reference model. The logprob of the first token is NaN.</summary>
    public static ExpectedCase[] Read(string folder)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expected.json")));
        return [.. document.RootElement.GetProperty("cases").EnumerateArray().Select(static item => new ExpectedCase(
            Integers(item.GetProperty("prompt")),
            Numbers(item.GetProperty("prompt_logprobs")),
            Numbers(item.GetProperty("last_logits_first64")),
            [.. item.GetProperty("steps").EnumerateArray().Select(static step => new ExpectedStep(
                step.GetProperty("token").GetInt32(),
                step.GetProperty("margin").GetDouble(),
                Integers(step.GetProperty("top_ids")),
                Numbers(step.GetProperty("top_logprobs"))))]))];
    }

    public static int[] Integers(JsonElement list) => [.. list.EnumerateArray().Select(static item => item.GetInt32())];

    public static double[] Numbers(JsonElement list) =>
        [.. list.EnumerateArray().Select(static item => item.ValueKind == JsonValueKind.Null ? double.NaN : item.GetDouble())];
}

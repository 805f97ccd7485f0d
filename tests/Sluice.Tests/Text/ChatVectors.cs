using System.Text.Json;
using Sluice.Text;

namespace Sluice.Tests.Text;

/// <summary>Rendering vectors of Hugging Face's implementation: a conversation, and the prompt or error that it gives.</summary>
internal static class ChatVectors
{
    /// <summary>The time at which the vectors were made.</summary>
    public static readonly DateTimeOffset Now = new(2024, 7, 26, 12, 0, 0, TimeSpan.Zero);

    /// <summary>Every mismatch, split by whether the JavaScript implementation agrees with the vector (hard) or not (advisory).</summary>
    public static (int Total, List<string> Hard, List<string> Advisory) Run(
        IEnumerable<string> lines, JsonElement cases, Func<string, string> readTemplate)
    {
        Dictionary<string, ChatTemplate> parsed = new(StringComparer.Ordinal);
        List<string> hard = [];
        List<string> advisory = [];
        int total = 0;
        foreach (string line in lines)
        {
            using JsonDocument row = JsonDocument.Parse(line);
            string name = row.RootElement.GetProperty("template").GetString()!;
            if (!parsed.TryGetValue(name, out ChatTemplate? template))
            {
                ChatTemplateTokens tokens = new(row.RootElement.GetProperty("bos_token").GetString(), row.RootElement.GetProperty("eos_token").GetString());
                template = ChatTemplate.Parse(readTemplate(name), tokens);
                parsed[name] = template;
            }

            total++;
            if (Compare(template, row.RootElement, cases) is string difference)
            {
                (row.RootElement.GetProperty("js_agrees").GetBoolean() ? hard : advisory).Add(difference);
            }
        }

        return (total, hard, advisory);
    }

    private static string? Compare(ChatTemplate template, JsonElement row, JsonElement cases)
    {
        string caseName = row.GetProperty("case").GetString()!;
        JsonElement conversation = cases.GetProperty(caseName);
        ChatTemplateInput input = new()
        {
            Messages = conversation.GetProperty("messages"),
            Tools = conversation.TryGetProperty("tools", out JsonElement tools) ? tools : null,
            AddGenerationPrompt = row.GetProperty("add_generation_prompt").GetBoolean(),
            Kwargs = conversation.TryGetProperty("extra", out JsonElement extra)
                ? extra.EnumerateObject().ToDictionary(property => property.Name, property => property.Value) : null,
            Now = Now,
        };
        string actual;
        try
        {
            actual = template.RenderUnchanged(input).Text;
        }
        catch (ChatTemplateException error)
        {
            actual = "error: " + error.Message;
        }

        string expected = row.TryGetProperty("error", out JsonElement wanted)
            ? "error: " + wanted.GetString()![(wanted.GetString()!.IndexOf(": ", StringComparison.Ordinal) + 2)..]
            : row.GetProperty("expected").GetString()!;
        return actual == expected
            ? null
            : $"{row.GetProperty("template").GetString()} {caseName} {input.AddGenerationPrompt}\n--- expected\n{expected}\n--- actual\n{actual}";
    }
}

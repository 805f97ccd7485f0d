using System.Text.Json;
using Sluice.Text;

namespace Sluice.Tests.Text.Jinja;

/// <summary>
/// Small templates over every construct with what Jinja2 3.1.6 makes of them, set up as transformers sets it up for
/// chat templates (immutable sandbox, trim_blocks, lstrip_blocks, loop controls, its own tojson).
/// </summary>
public class JinjaVectorTests
{
    [Fact]
    public void Render_EveryConstruct_GivesWhatJinja2Gives()
    {
        string[] lines = File.ReadAllLines(TestData.PathOf("jinja", "vectors.jsonl"));
        using JsonDocument header = JsonDocument.Parse(lines[0]);
        JsonElement variables = header.RootElement.GetProperty("context");
        List<string> differences = [];
        foreach (string line in lines.Skip(1))
        {
            using JsonDocument row = JsonDocument.Parse(line);
            string template = row.RootElement.GetProperty("template").GetString()!;
            string expected = row.RootElement.TryGetProperty("error", out JsonElement error) ? error.GetString()! : row.RootElement.GetProperty("expected").GetString()!;
            string actual;
            try
            {
                actual = JinjaRunner.Render(template, variables);
            }
            catch (ChatTemplateException thrown)
            {
                actual = "error: " + thrown.Message;
            }

            if (!Matches(expected, error.ValueKind == JsonValueKind.String, actual))
            {
                differences.Add($"{template}\n  expected {expected}\n  actual   {actual}");
            }
        }

        Assert.True(lines.Length > 700);
        Assert.True(differences.Count == 0, $"{differences.Count} differences\n" + string.Join("\n", differences));
    }

    /// <summary>A syntax error has our own words; every other error has Python's.</summary>
    private static bool Matches(string expected, bool isError, string actual)
    {
        if (!isError)
        {
            return actual == expected;
        }

        string message = expected[(expected.IndexOf(": ", StringComparison.Ordinal) + 2)..];
        return expected.StartsWith("TemplateSyntaxError", StringComparison.Ordinal) || expected.StartsWith("TemplateAssertionError", StringComparison.Ordinal)
            ? actual.StartsWith("error: ", StringComparison.Ordinal)
            : actual == "error: " + message;
    }
}

using System.Text.Json;
using System.Text.Json.Nodes;
using Sluice.Tests.Text.Jinja;
using Sluice.Text;
using Sluice.Text.Jinja;

namespace Sluice.Tests.Text;

/// <summary>Which characters of a prompt count as the client's.</summary>
public class ContentSpanTests
{
    [Theory]
    [InlineData("<{{ x }}>", "<[AbC dEf]>")]
    [InlineData("{{ '<' + x + '>' }}", "<[AbC dEf]>")]
    [InlineData("{{ '<' ~ x ~ '>' ~ x }}", "<[AbC dEf]>[AbC dEf]")]
    [InlineData("{{ ('<' + x + '>')|trim('<A') }}", "[bC dEf]>")]
    [InlineData("{{ ('<' + x + '>')|upper }}", "<[ABC DEF]>")]
    [InlineData("{{ ('<' + x + '>').title() }}", "<[Abc Def]>")]
    [InlineData("{{ ('<' + x)[0:3] }}", "<[Ab]")]
    [InlineData("{{ ('<' + x)[::-1] }}", "[fEd CbA]<")]
    [InlineData("{{ x.replace('b', '<b>') }}", "[A]<b>[C dEf]")]
    [InlineData("{{ '<b>'.replace('b', x) }}", "<[AbC dEf]>")]
    [InlineData("{{ x.split(' ')|join('|') }}", "[AbC]|[dEf]")]
    [InlineData("{{ x|list|first }}", "[A]")]
    [InlineData("{{ [x, 'y']|join('-') }}", "[AbC dEf]-y")]
    [InlineData("{{ {'k': x}|tojson }}", "{\"k\": [\"AbC dEf\"]}")]
    [InlineData("{{ o|tojson }}", "[{\"k\": \"v<\", \"n\": ]1[, \"l\": [\"z\"]}]")]
    [InlineData("{{ [x] }}", "[['AbC dEf']]")]
    [InlineData("{{ o.l }}", "[['z']]")]
    [InlineData("{% for k in o %}{{ k }};{% endfor %}", "[k];[n];[l];")]
    [InlineData("{{ '%s|%5s' % (x, o.k) }}", "[AbC dEf]|   [v<]")]
    [InlineData("{{ '{}|{:>4}'.format(x, o.k) }}", "[AbC dEf]|  [v<]")]
    [InlineData("{{ o.k|e }}", "[v&lt;]")]
    [InlineData("{% set y %}<{{ x }}>{% endset %}{{ y }}", "<[AbC dEf]>")]
    [InlineData("{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(x) }}", "<[AbC dEf]>")]
    [InlineData("{% filter lower %}A{{ x }}B{% endfilter %}", "a[abc def]b")]
    [InlineData("{{ x|truncate(5, true, '~', 0) }}", "[AbC ]~")]
    [InlineData("{{ (x ~ '\n' ~ x)|indent(2) }}", "[AbC dEf]\n  [AbC dEf]")]
    [InlineData("{{ x.center(11) }}", "  [AbC dEf]  ")]
    [InlineData("{{ x.partition(' ')[0] ~ x.partition(' ')[1] }}", "[AbC] ")]
    [InlineData("{{ x|capitalize }}{{ x|length }}", "[Abc def]7")]
    public void RenderTracked_EveryOperation_KeepsTheOrigin(string template, string marked)
    {
        using JsonDocument variables = JsonDocument.Parse("""{"x":"AbC dEf","o":{"k":"v<","n":1,"l":["z"]}}""");
        TrackedString text = JinjaRunner.RenderTracked(template, variables.RootElement);
        string actual = "";
        for (int position = 0; position < text.Length;)
        {
            int end = text.RunEnd(position, out Origin origin);
            string part = text.Slice(position, end - position).ToString();
            actual += origin == Origin.Client ? $"[{part}]" : part;
            position = end;
        }

        Assert.Equal(marked, actual);
    }

    [Fact]
    public void Render_TemplatesOfPublicModels_MarkAllOfTheClientsTextAndNothingElse()
    {
        string? folder = TestData.Shared("chat-templates");
        Assert.SkipWhen(folder is null, "the templates of public models may not be copied into the repository");
        JsonObject cases = JsonNode.Parse(File.ReadAllText(TestData.Shared("tokenizers", "chat_cases.json")!))!.AsObject();
        int rendered = 0;
        foreach (string file in Directory.EnumerateFiles(folder!, "*.jinja"))
        {
            ChatTemplate template = ChatTemplate.Parse(File.ReadAllText(file), new ChatTemplateTokens("<s>", "</s>"));
            foreach ((string name, JsonNode? conversation) in cases)
            {
                rendered += CheckMarks(template, conversation!.DeepClone().AsObject(), $"{Path.GetFileName(file)} {name}");
            }
        }

        Assert.True(rendered > 500, $"{rendered}");
    }

    private static int CheckMarks(ChatTemplate template, JsonObject conversation, string name)
    {
        Mark(conversation, "");
        using JsonDocument document = JsonDocument.Parse(conversation.ToJsonString());
        RenderedPrompt prompt;
        try
        {
            prompt = template.Render(new ChatTemplateInput
            {
                Messages = document.RootElement.GetProperty("messages"),
                Tools = document.RootElement.TryGetProperty("tools", out JsonElement tools) ? tools : null,
                Now = ChatVectors.Now,
            });
        }
        catch (ChatTemplateException)
        {
            return 0;
        }

        int position = 0;
        foreach (TextSpan span in prompt.ContentSpans)
        {
            string outside = prompt.Text[position..span.Start];
            string inside = prompt.Text.Substring(span.Start, span.Length);
            Assert.True(span.Length > 0 && span.Start >= position, name);
            Assert.False(outside.Contains('«', StringComparison.Ordinal) || outside.Contains('»', StringComparison.Ordinal), $"{name}: not marked in {outside}");
            Assert.False(inside.Contains("<|", StringComparison.Ordinal) || inside.Contains("<｜", StringComparison.Ordinal), $"{name}: too much in {inside}");
            position = span.Start + span.Length;
        }

        Assert.DoesNotContain("«", prompt.Text[position..], StringComparison.Ordinal);
        return 1;
    }

    /// <summary>Puts « » around every string of the client's but the words that templates branch on.</summary>
    private static void Mark(JsonNode node, string key)
    {
        if (node is JsonObject dict)
        {
            foreach ((string name, JsonNode? value) in dict.ToList())
            {
                if (value is JsonValue text && text.GetValueKind() == JsonValueKind.String && name is not ("role" or "type" or "arguments"))
                {
                    dict[name] = $"«{text.GetValue<string>()}»";
                }
                else if (value is not null)
                {
                    Mark(value, name);
                }
            }
        }
        else if (node is JsonArray list)
        {
            for (int i = 0; i < list.Count; i++)
            {
                if (list[i] is JsonValue text && text.GetValueKind() == JsonValueKind.String)
                {
                    list[i] = $"«{text.GetValue<string>()}»";
                }
                else if (list[i] is JsonNode child)
                {
                    Mark(child, key);
                }
            }
        }
    }
}

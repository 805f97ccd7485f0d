using System.Text.Json;

namespace Sluice.Text.Jinja;

/// <summary>The limits on chat_template_kwargs, which any client can send.</summary>
internal static class ChatTemplateArguments
{
    private const string Field = "chat_template_kwargs";
    private const int MaxDepth = 5;
    private const int MaxNodeCount = 128;
    private const int MaxCharacterCount = 16 << 10;

    /// <summary>Sets those that the template reads.</summary>
    public static void AddTo(Scope scope, IReadOnlyDictionary<string, JsonElement> kwargs, IReadOnlySet<string> variables)
    {
        int nodeCount = 0;
        int characterCount = 0;
        foreach ((string name, JsonElement value) in kwargs)
        {
            characterCount += name.Length + value.GetRawText().Length;
            nodeCount += CountNodes(value, $"{Field}.{name}", 1);
            if (characterCount > MaxCharacterCount || nodeCount > MaxNodeCount)
            {
                throw new ChatTemplateException(
                    $"{Field} is limited to {MaxCharacterCount >> 10} KiB and {MaxNodeCount} values")
                { Parameter = Field };
            }

            if (variables.Contains(name))
            {
                scope.Set(name, JsonValues.ConvertWord(value, $"{Field}.{name}"));
            }
        }
    }

    private static int CountNodes(JsonElement value, string path, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new ChatTemplateException($"{path} is nested deeper than {MaxDepth} levels") { Parameter = path };
        }

        return 1 + value.ValueKind switch
        {
            JsonValueKind.Array => value.EnumerateArray().Sum(item => CountNodes(item, path, depth + 1)),
            JsonValueKind.Object => value.EnumerateObject().Sum(property => CountNodes(property.Value, path, depth + 1)),
            _ => 0,
        };
    }
}

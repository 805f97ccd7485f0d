using System.Text.Json;

namespace Sluice.Text.Jinja;

/// <summary>How messages are prepared for a template.</summary>
/// <param name="ContentFormat">The form of content; null leaves content as the client sent it.</param>
/// <param name="KeepNullContent">Whether null content stays none rather than becoming empty.</param>
/// <param name="ParseArguments">Whether tool calls' arguments, which clients send as JSON text, become objects.</param>
/// <param name="MarkFinal">Whether the final message's text is to be found again in the prompt.</param>
internal readonly record struct ChatMessageOptions(ChatContentFormat? ContentFormat, bool KeepNullContent, bool ParseArguments, bool MarkFinal);

/// <summary>The client's messages as the template's variable <c>messages</c>.</summary>
internal sealed class ChatMessages(ChatMessageOptions options)
{
    /// <summary>Stands for the end of a final message without text; a noncharacter, which no tokenizer's vocabulary has.</summary>
    private const string EmptyMark = "\uFDD0";

    private static readonly Value ContentKey = Value.FromString("content");

    /// <summary>Whether some arguments were text and became an object.</summary>
    public bool HasParsedArguments { get; private set; }

    /// <summary>Whether the final message had no text, so that a mark (to be cut off) stands in its place.</summary>
    public bool UsesEmptyMark { get; private set; }

    public Value Convert(JsonElement messages)
    {
        if (messages.ValueKind != JsonValueKind.Array)
        {
            throw Invalid("messages", "messages must be an array of messages");
        }

        int count = messages.GetArrayLength();
        if (options.MarkFinal && count == 0)
        {
            throw Invalid("messages", "there is no final message to continue");
        }

        List<Value> items = new(count);
        foreach (JsonElement message in messages.EnumerateArray())
        {
            string path = $"messages[{items.Count}]";
            try
            {
                items.Add(ConvertMessage(message, path, options.MarkFinal && items.Count == count - 1));
            }
            catch (InvalidOperationException)
            {
                // What looking for a property throws where another one's name is half of a surrogate pair.
                throw Invalid(path, $"{path} holds a name that is not valid Unicode");
            }
        }

        return Value.FromList(items, fromClient: true);
    }

    private static ChatTemplateException Invalid(string path, string message)
    {
        return new ChatTemplateException(message) { Parameter = path };
    }

    private Value ConvertMessage(JsonElement message, string path, bool isFinal)
    {
        if (message.ValueKind != JsonValueKind.Object)
        {
            throw Invalid(path, $"{path} must be an object");
        }

        if (!message.TryGetProperty("role", out JsonElement role) || role.ValueKind != JsonValueKind.String)
        {
            throw Invalid(path + ".role", $"{path}.role must be a string");
        }

        DictValue result = new(fromClient: true);
        foreach (JsonProperty property in message.EnumerateObject())
        {
            string name = property.Name;
            result.Entries[Value.FromString(name, Origin.Client)] = name switch
            {
                "role" => JsonValues.ConvertWord(property.Value, path + ".role"),
                "content" => ConvertContent(property.Value, path + ".content", isFinal),
                "tool_calls" => ConvertToolCalls(property.Value, path + ".tool_calls"),
                _ => JsonValues.Convert(property.Value, $"{path}.{name}"),
            };
        }

        if (options.ContentFormat is not null)
        {
            Normalize(result);
        }

        if (isFinal && !result.TryGet(ContentKey, out _))
        {
            throw Invalid(path + ".content", $"{path} has no content to continue");
        }

        return new Value(result);
    }

    /// <summary>Missing content is empty; reasoning goes by both of its names; empty tool_calls are none.</summary>
    private void Normalize(DictValue message)
    {
        if (!options.KeepNullContent && (!message.TryGet(ContentKey, out Value content) || content.IsNone))
        {
            message.Entries[ContentKey] = EmptyContent();
        }

        Value reasoning = Value.FromString("reasoning");
        Value reasoningContent = Value.FromString("reasoning_content");
        if (message.TryGet(reasoning, out Value text) && text.IsString && !message.TryGet(reasoningContent, out _))
        {
            message.Entries[reasoningContent] = text;
        }
        else if (message.TryGet(reasoningContent, out text) && text.IsString && !message.TryGet(reasoning, out _))
        {
            message.Entries[reasoning] = text;
        }

        Value toolCalls = Value.FromString("tool_calls");
        if (message.TryGet(toolCalls, out Value calls) && !PythonTypes.IsTrue(calls))
        {
            message.Entries.Remove(toolCalls);
        }
    }

    private Value EmptyContent()
    {
        return options.ContentFormat == ChatContentFormat.OpenAi ? Value.FromList([], fromClient: true) : Value.EmptyString;
    }

    private Value ConvertContent(JsonElement content, string path, bool isFinal)
    {
        if (options.ContentFormat is null)
        {
            return isFinal && content.ValueKind == JsonValueKind.String ? FinalText(content, path) : JsonValues.Convert(content, path);
        }

        switch (content.ValueKind)
        {
            case JsonValueKind.Null when !isFinal:
                return options.KeepNullContent ? Value.None : EmptyContent();
            case JsonValueKind.String:
                Value text = isFinal ? FinalText(content, path) : JsonValues.Convert(content, path);
                return options.ContentFormat == ChatContentFormat.OpenAi ? Value.FromList([TextPart(text)], fromClient: true) : text;
            case JsonValueKind.Array:
                return ConvertParts(content, path, isFinal);
            default:
                throw Invalid(path, isFinal ? $"{path} has no text to continue" : $"{path} must be a string or an array of parts");
        }
    }

    private Value ConvertParts(JsonElement parts, string path, bool isFinal)
    {
        int count = parts.GetArrayLength();
        if (isFinal && count == 0)
        {
            throw Invalid(path, $"{path} has no text to continue");
        }

        List<Value> texts = new(count);
        foreach (JsonElement part in parts.EnumerateArray())
        {
            JsonElement text = TextOf(part, $"{path}[{texts.Count}]");
            string textPath = $"{path}[{texts.Count}].text";
            texts.Add(isFinal && texts.Count == count - 1 ? FinalText(text, textPath) : JsonValues.Convert(text, textPath));
        }

        if (options.ContentFormat == ChatContentFormat.OpenAi)
        {
            return Value.FromList(texts.ConvertAll(TextPart), fromClient: true);
        }

        // The budget guards the template's own work; the parts are the client's and as long as the request allows.
        RenderContext context = new(default);
        TrackedString joined = TrackedString.Empty;
        TrackedString newLine = new("\n", Origin.Client);
        for (int i = 0; i < texts.Count; i++)
        {
            joined = TrackedString.Concat(joined, i == 0 ? TrackedString.Empty : newLine, context.Budget);
            joined = TrackedString.Concat(joined, texts[i].Text, context.Budget);
        }

        return new Value(joined);
    }

    private static JsonElement TextOf(JsonElement part, string path)
    {
        if (part.ValueKind == JsonValueKind.String)
        {
            return part;
        }

        if (part.ValueKind != JsonValueKind.Object)
        {
            throw Invalid(path, $"{path} must be a string or an object with a type");
        }

        string type = part.TryGetProperty("type", out JsonElement kind) && kind.ValueKind == JsonValueKind.String
            ? JsonValues.ReadString(kind, path + ".type")
            : part.TryGetProperty("text", out _) ? "text" : throw Invalid(path + ".type", $"{path}.type is missing");
        string field = type switch
        {
            "text" or "input_text" or "output_text" => "text",
            "refusal" => "refusal",
            "thinking" => "thinking",
            _ => throw Invalid(path, $"{path} is of type '{type}'; this model takes text parts only"),
        };
        return part.TryGetProperty(field, out JsonElement text) && text.ValueKind == JsonValueKind.String
            ? text
            : throw Invalid($"{path}.{field}", $"{path}.{field} must be a string");
    }

    private static Value TextPart(Value text)
    {
        DictValue part = new(fromClient: true);
        part.Entries[Value.FromString("type")] = Value.FromString("text");
        part.Entries[Value.FromString("text")] = text;
        return new Value(part);
    }

    private Value FinalText(JsonElement content, string path)
    {
        string text = JsonValues.ReadString(content, path);
        UsesEmptyMark = string.IsNullOrWhiteSpace(text);
        return UsesEmptyMark
            ? new Value(TrackedString.Concat(new TrackedString(text, Origin.Client), new TrackedString(EmptyMark, Origin.Continued), new RenderBudget()))
            : new Value(new TrackedString(text, Origin.Continued));
    }

    private Value ConvertToolCalls(JsonElement calls, string path)
    {
        Value value = JsonValues.Convert(calls, path);
        if (!options.ParseArguments || value.Kind != ValueKind.List)
        {
            return value;
        }

        Value functionKey = Value.FromString("function");
        Value argumentsKey = Value.FromString("arguments");
        foreach (Value call in value.Sequence.Items)
        {
            if (call.Kind == ValueKind.Dict && call.Dict.TryGet(functionKey, out Value function) && function.Kind == ValueKind.Dict
                && function.Dict.TryGet(argumentsKey, out Value arguments) && arguments.IsString
                && TryParseObject(arguments.Text.ToString(), path, out Value parsed))
            {
                function.Dict.Entries[argumentsKey] = parsed;
                HasParsedArguments = true;
            }
        }

        return value;
    }

    private static bool TryParseObject(string text, string path, out Value value)
    {
        value = default;
        try
        {
            using JsonDocument document = JsonDocument.Parse(text.Length == 0 ? "{}" : text);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                return false;
            }

            value = JsonValues.Convert(document.RootElement, path);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}

using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Sluice.Requests;

namespace Sluice;

/// <summary>
/// Maps the options of a chat client to sampling parameters. What has no property of its own is taken from the additional
/// properties, under vLLM's names.
/// </summary>
internal static class ChatClientOptions
{
    public static SamplingParams ToSampling(ChatOptions? options, SamplingParams defaults)
    {
        if (options is null)
        {
            return defaults;
        }

        RefuseUnsupported(options);
        AdditionalPropertiesDictionary? more = options.AdditionalProperties;
        return defaults with
        {
            Temperature = options.Temperature ?? defaults.Temperature,
            TopP = options.TopP ?? defaults.TopP,
            TopK = options.TopK ?? defaults.TopK,
            MinP = Number(more, "min_p") ?? defaults.MinP,
            FrequencyPenalty = options.FrequencyPenalty ?? defaults.FrequencyPenalty,
            PresencePenalty = options.PresencePenalty ?? defaults.PresencePenalty,
            RepetitionPenalty = Number(more, "repetition_penalty") ?? defaults.RepetitionPenalty,
            Seed = options.Seed,
            MaxTokens = options.MaxOutputTokens ?? defaults.MaxTokens,
            MinTokens = Integer(more, "min_tokens") ?? defaults.MinTokens,
            StopStrings = options.StopSequences is { Count: > 0 } stops ? [.. stops] : defaults.StopStrings,
            StopTokenIds = Integers(more, "stop_token_ids") ?? defaults.StopTokenIds,
            IncludeStopString = Boolean(more, "include_stop_str_in_output") ?? defaults.IncludeStopString,
            IgnoreEos = Boolean(more, "ignore_eos") ?? defaults.IgnoreEos,
        };
    }

    public static int Priority(ChatOptions? options) => Integer(options?.AdditionalProperties, "priority") ?? 0;

    public static string? CacheSalt(ChatOptions? options) => options?.AdditionalProperties?.GetValueOrDefault("cache_salt") as string;

    /// <summary>chat_template_kwargs: a JSON object, or a dictionary of texts, numbers and booleans.</summary>
    public static JsonDocument? TemplateArguments(ChatOptions? options)
    {
        const string Name = "chat_template_kwargs";
        switch (options?.AdditionalProperties?.GetValueOrDefault(Name))
        {
            case null:
                return null;
            case JsonElement { ValueKind: JsonValueKind.Object } element:
                return JsonDocument.Parse(element.GetRawText());
            case IEnumerable<KeyValuePair<string, object?>> items:
                return ToJson(items, Name);
            default:
                throw Wrong(Name, "an object");
        }
    }

    /// <summary>chat_template_kwargs.enable_thinking; true where it is not given.</summary>
    public static bool EnableThinking(ChatOptions? options)
    {
        using JsonDocument? arguments = TemplateArguments(options);
        return arguments is null
            || !arguments.RootElement.TryGetProperty("enable_thinking", out JsonElement value)
            || value.ValueKind != JsonValueKind.False;
    }

    private static JsonDocument ToJson(IEnumerable<KeyValuePair<string, object?>> items, string name)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter writer = new(buffer))
        {
            writer.WriteStartObject();
            foreach ((string key, object? value) in items)
            {
                writer.WritePropertyName(key);
                switch (value)
                {
                    case null:
                        writer.WriteNullValue();
                        break;
                    case bool flag:
                        writer.WriteBooleanValue(flag);
                        break;
                    case string text:
                        writer.WriteStringValue(text);
                        break;
                    case JsonElement element:
                        element.WriteTo(writer);
                        break;
                    case int or long:
                        writer.WriteNumberValue(Convert.ToInt64(value, CultureInfo.InvariantCulture));
                        break;
                    case float or double:
                        writer.WriteNumberValue(Convert.ToDouble(value, CultureInfo.InvariantCulture));
                        break;
                    default:
                        throw Wrong($"{name}.{key}", "a text, a number, a boolean or a JsonElement");
                }
            }

            writer.WriteEndObject();
        }

        return JsonDocument.Parse(buffer.WrittenMemory);
    }

    /// <summary>What would change the answer and cannot be done is refused, not ignored.</summary>
    private static void RefuseUnsupported(ChatOptions options)
    {
        if (options.Tools is { Count: > 0 } && options.ToolMode is not NoneChatToolMode)
        {
            throw new NotSupportedException("This client does not call tools; set ToolMode to None or leave Tools empty.");
        }

        if (options.ResponseFormat is ChatResponseFormatJson)
        {
            throw new NotSupportedException("This client does not constrain its output to JSON; leave ResponseFormat at text.");
        }
    }

    private static float? Number(AdditionalPropertiesDictionary? properties, string name) => properties?.GetValueOrDefault(name) switch
    {
        null => null,
        float number => number,
        double number => (float)number,
        int number => number,
        long number => number,
        JsonElement { ValueKind: JsonValueKind.Number } element => element.GetSingle(),
        _ => throw Wrong(name, "a number"),
    };

    private static int? Integer(AdditionalPropertiesDictionary? properties, string name) => properties?.GetValueOrDefault(name) switch
    {
        null => null,
        int number => number,
        long number and >= int.MinValue and <= int.MaxValue => (int)number,
        JsonElement { ValueKind: JsonValueKind.Number } element when element.TryGetInt32(out int number) => number,
        _ => throw Wrong(name, "an integer"),
    };

    private static bool? Boolean(AdditionalPropertiesDictionary? properties, string name) => properties?.GetValueOrDefault(name) switch
    {
        null => null,
        bool flag => flag,
        JsonElement { ValueKind: JsonValueKind.True or JsonValueKind.False } element => element.GetBoolean(),
        _ => throw Wrong(name, "a boolean"),
    };

    private static IReadOnlyList<int>? Integers(AdditionalPropertiesDictionary? properties, string name)
    {
        switch (properties?.GetValueOrDefault(name))
        {
            case null:
                return null;
            case IEnumerable<int> numbers:
                return [.. numbers];
            case JsonElement { ValueKind: JsonValueKind.Array } array:
                List<int> list = [];
                foreach (JsonElement element in array.EnumerateArray())
                {
                    list.Add(
                        element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out int number)
                            ? number
                            : throw Wrong(name, "a list of integers"));
                }

                return list;
            default:
                throw Wrong(name, "a list of integers");
        }
    }

    private static RequestValidationException Wrong(string name, string expected) => new($"{name} must be {expected}.", name);
}

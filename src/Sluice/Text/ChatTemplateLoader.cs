using System.Text.Json;

namespace Sluice.Text;

/// <summary>Finds a model's chat template where Hugging Face puts them.</summary>
public static class ChatTemplateLoader
{
    /// <summary>
    /// The template of <c>chat_template.jinja</c>, <c>chat_template.json</c> or <c>tokenizer_config.json</c>, or the one
    /// given instead of them; null where a model has none.
    /// </summary>
    /// <param name="modelFolder">The model's folder, which also says what its special tokens are.</param>
    /// <param name="overrideFileOrInline">A file, or a template's text (--chat-template).</param>
    /// <exception cref="UserErrorException">The file cannot be read, or what it holds is not a template.</exception>
    public static ChatTemplate? Load(string modelFolder, string? overrideFileOrInline)
    {
        string configPath = Path.Combine(modelFolder, "tokenizer_config.json");
        using JsonDocument? config = ReadJson(configPath);
        ChatTemplateTokens tokens = ReadTokens(config, modelFolder);
        if (overrideFileOrInline is not null)
        {
            return LoadOverride(overrideFileOrInline, tokens);
        }

        string jinjaPath = Path.Combine(modelFolder, "chat_template.jinja");
        if (File.Exists(jinjaPath))
        {
            return Parse(ReadText(jinjaPath), tokens, jinjaPath);
        }

        string jsonPath = Path.Combine(modelFolder, "chat_template.json");
        using JsonDocument? json = ReadJson(jsonPath);
        return LoadProperty(json, jsonPath, tokens) ?? LoadProperty(config, configPath, tokens);
    }

    private static ChatTemplate LoadOverride(string fileOrInline, ChatTemplateTokens tokens)
    {
        if (File.Exists(fileOrInline))
        {
            return Parse(ReadText(fileOrInline), tokens, fileOrInline);
        }

        return fileOrInline.AsSpan().IndexOfAny('{', '}', '\n') >= 0
            ? Parse(fileOrInline, tokens, "the text of --chat-template")
            : throw new UserErrorException($"--chat-template {fileOrInline}: there is no such file; give a file's path or the template's text.");
    }

    private static ChatTemplate? LoadProperty(JsonDocument? document, string path, ChatTemplateTokens tokens)
    {
        if (document is null || document.RootElement.ValueKind != JsonValueKind.Object
            || !document.RootElement.TryGetProperty("chat_template", out JsonElement template))
        {
            return null;
        }

        switch (template.ValueKind)
        {
            case JsonValueKind.Null:
                return null;
            case JsonValueKind.String:
                return Parse(template.GetString()!, tokens, path);
            case JsonValueKind.Array:
                return LoadNamed(template, path, tokens);
            default:
                throw new UserErrorException($"{path}: chat_template must be a string or a list of named templates.");
        }
    }

    private static ChatTemplate LoadNamed(JsonElement list, string path, ChatTemplateTokens tokens)
    {
        Dictionary<string, ChatTemplate> templates = new(StringComparer.Ordinal);
        foreach (JsonElement entry in list.EnumerateArray())
        {
            if (entry.ValueKind != JsonValueKind.Object
                || !entry.TryGetProperty("name", out JsonElement name) || name.ValueKind != JsonValueKind.String
                || !entry.TryGetProperty("template", out JsonElement template) || template.ValueKind != JsonValueKind.String)
            {
                throw new UserErrorException($"{path}: each entry of chat_template needs a name and a template.");
            }

            templates[name.GetString()!] = Parse(template.GetString()!, tokens, $"{path}, template '{name.GetString()}'");
        }

        if (!templates.TryGetValue("default", out ChatTemplate? main))
        {
            string names = string.Join(", ", templates.Keys);
            throw new UserErrorException($"{path}: chat_template has no template named 'default' (it has: {names}); choose one with --chat-template.");
        }

        return templates.TryGetValue("tool_use", out ChatTemplate? toolUse) ? main.WithToolUse(toolUse) : main;
    }

    private static ChatTemplate Parse(string source, ChatTemplateTokens tokens, string where)
    {
        try
        {
            return ChatTemplate.Parse(source, tokens);
        }
        catch (ChatTemplateException error)
        {
            throw new UserErrorException($"{where}: {error.Message}.");
        }
    }

    private static ChatTemplateTokens ReadTokens(JsonDocument? config, string modelFolder)
    {
        using JsonDocument? map = ReadJson(Path.Combine(modelFolder, "special_tokens_map.json"));
        string? Token(string name)
        {
            return ReadToken(config, name) ?? ReadToken(map, name);
        }

        return new ChatTemplateTokens(
            Token("bos_token"), Token("eos_token"), Token("pad_token"), Token("unk_token"), Token("sep_token"), Token("cls_token"), Token("mask_token"));
    }

    /// <summary>A token is written as its text, or as an object with it under "content".</summary>
    private static string? ReadToken(JsonDocument? document, string name)
    {
        if (document is null || document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty(name, out JsonElement token))
        {
            return null;
        }

        if (token.ValueKind == JsonValueKind.Object && token.TryGetProperty("content", out JsonElement content))
        {
            token = content;
        }

        return token.ValueKind == JsonValueKind.String ? token.GetString() : null;
    }

    private static JsonDocument? ReadJson(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            return JsonDocument.Parse(ReadText(path));
        }
        catch (JsonException error)
        {
            throw new UserErrorException($"{path} is not valid JSON: {error.Message}");
        }
    }

    private static string ReadText(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{path} cannot be read: {error.Message}");
        }
    }
}

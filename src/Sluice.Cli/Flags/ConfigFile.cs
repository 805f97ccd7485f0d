namespace Sluice.Cli.Flags;

/// <summary>
/// Reads <c>--config FILE.yaml</c>: one flag a line by its long name (<c>max-model-len: 4096</c>), lists as
/// <c>[a, b]</c> or as lines with dashes, JSON in one line. This is the part of YAML that such files use; anything else
/// is an error with its line number.
/// </summary>
internal static class ConfigFile
{
    /// <summary>The flags of a file as command-line words, in canonical or any other spelling.</summary>
    public static IReadOnlyList<string> Read(string path)
    {
        string[] lines;
        try
        {
            lines = File.ReadAllLines(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"--config {path} cannot be read: {exception.Message}");
        }

        var words = new List<string>();
        string? openList = null;
        for (int number = 1; number <= lines.Length; number++)
        {
            string line = WithoutComment(lines[number - 1]);
            if (line.Trim().Length == 0 || line is "---" or "...")
            {
                continue;
            }

            string trimmed = line.TrimStart();
            if (trimmed.StartsWith("- ", StringComparison.Ordinal) && openList is not null)
            {
                Append(words, openList, Unquoted(trimmed[2..].Trim()));
                continue;
            }

            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0 || line[0] is ' ' or '\t' or '-' || (colon + 1 < line.Length && line[colon + 1] != ' '))
            {
                throw new UserErrorException($"--config {path}, line {number}: expected 'flag-name: value', found '{lines[number - 1].Trim()}'");
            }

            string name = Unquoted(line[..colon].Trim()).TrimStart('-');
            string value = line[(colon + 1)..].Trim();
            openList = value.Length == 0 ? name : null;
            if (value.Length > 0)
            {
                AppendValue(words, name, value);
            }
        }

        return words;
    }

    private static void AppendValue(List<string> words, string name, string value)
    {
        bool isJson = FlagTable.Find(name.Replace('_', '-')) is { Kind: FlagKind.Json };
        if (value.StartsWith('[') && value.EndsWith(']') && !isJson)
        {
            foreach (string item in value[1..^1].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            {
                Append(words, name, Unquoted(item));
            }
        }
        else if (value is not ("null" or "~"))
        {
            Append(words, name, Unquoted(value));
        }
    }

    private static void Append(List<string> words, string name, string value)
    {
        bool isSwitch = FlagTable.Find(name.Replace('_', '-')) is { Kind: FlagKind.Switch };
        words.Add($"--{name}={(isSwitch ? value switch { "yes" or "on" => "true", "no" or "off" => "false", _ => value } : value)}");
    }

    private static string Unquoted(string text)
    {
        bool quoted = text.Length >= 2 && text[0] == text[^1] && text[0] is ('"' or '\'');
        return !quoted ? text
            : text[0] == '\'' ? text[1..^1].Replace("''", "'", StringComparison.Ordinal)
            : text[1..^1].Replace("\\\"", "\"", StringComparison.Ordinal).Replace("\\n", "\n", StringComparison.Ordinal).Replace("\\\\", "\\", StringComparison.Ordinal);
    }

    private static string WithoutComment(string line)
    {
        char quote = '\0';
        for (int index = 0; index < line.Length; index++)
        {
            char letter = line[index];
            if (quote != '\0')
            {
                quote = letter == quote ? '\0' : quote;
            }
            else if (letter is '"' or '\'')
            {
                quote = letter;
            }
            else if (letter == '#' && (index == 0 || char.IsWhiteSpace(line[index - 1])))
            {
                return line[..index].TrimEnd();
            }
        }

        return line.TrimEnd();
    }
}

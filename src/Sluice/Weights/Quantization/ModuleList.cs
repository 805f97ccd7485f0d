using System.Text.RegularExpressions;

namespace Sluice.Weights.Quantization;

/// <summary>
/// Names of modules as checkpoints list them: whole names, the beginning or the end of names at a dot, <c>*</c> for anything, and
/// regular expressions after <c>re:</c>.
/// </summary>
internal sealed class ModuleList
{
    private const string RegexPrefix = "re:";

    private readonly string[] _names;
    private readonly Regex[] _patterns;

    private ModuleList(string[] names, Regex[] patterns)
    {
        _names = names;
        _patterns = patterns;
    }

    public static ModuleList None { get; } = new([], []);

    /// <exception cref="ArgumentException">A malformed regular expression.</exception>
    public static ModuleList Parse(IReadOnlyList<string> entries)
    {
        var names = new List<string>();
        var patterns = new List<Regex>();
        foreach (string entry in entries)
        {
            if (entry.StartsWith(RegexPrefix, StringComparison.Ordinal))
            {
                patterns.Add(Compile("^(?:" + entry[RegexPrefix.Length..] + ")"));
            }
            else if (entry.Contains('*', StringComparison.Ordinal))
            {
                patterns.Add(Compile("^" + Regex.Escape(entry).Replace("\\*", ".*", StringComparison.Ordinal) + "$"));
            }
            else if (entry.Length > 0)
            {
                names.Add(entry);
            }
        }

        return new ModuleList([.. names], [.. patterns]);
    }

    public bool Contains(string module)
    {
        foreach (string name in _names)
        {
            if (module == name
                || (module.Length > name.Length
                    && ((module.StartsWith(name, StringComparison.Ordinal) && module[name.Length] == '.')
                        || (module.EndsWith(name, StringComparison.Ordinal) && module[^(name.Length + 1)] == '.'))))
            {
                return true;
            }
        }

        return _patterns.Any(pattern => pattern.IsMatch(module));
    }

    // Without backtracking: an expression comes with a download and must not take more than linear time.
    private static Regex Compile(string pattern)
    {
        try
        {
            return new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (NotSupportedException e)
        {
            throw new ArgumentException(e.Message, e);
        }
    }
}

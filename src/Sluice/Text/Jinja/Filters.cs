using System.Collections.Frozen;

namespace Sluice.Text.Jinja;

/// <summary>What can follow <c>|</c>: one table of the text, number and sequence filters.</summary>
internal static class Filters
{
    private static readonly FrozenDictionary<string, Builtin> All =
        TextFilters.All.Concat(NumberFilters.All).Concat(SequenceFilters.All).Concat(SelectionFilters.All)
            .ToFrozenDictionary(filter => filter.Name, StringComparer.Ordinal);

    public static Builtin Find(string name)
    {
        return All.TryGetValue(name, out Builtin? filter) ? filter : throw new ChatTemplateException($"No filter named '{name}' found.");
    }

    public static bool Exists(string name)
    {
        return All.ContainsKey(name);
    }
}

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
        return TryFind(name) ?? throw new ChatTemplateException($"No filter named '{name}' found.");
    }

    public static Builtin? TryFind(string name)
    {
        return All.GetValueOrDefault(name);
    }
}

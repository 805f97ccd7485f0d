namespace Sluice.Text.Jinja;

/// <summary>The items of a list, tuple, range or generator. Templates cannot change one: the sandbox refuses list.append.</summary>
internal class SequenceValue(List<Value> items, bool fromClient = false)
{
    /// <summary>Whether the brackets and commas of its printed form count as the client's text.</summary>
    public bool FromClient { get; } = fromClient;

    public List<Value> Items { get; } = items;

    /// <summary>The items left in a generator; it is empty from then on.</summary>
    public List<Value> Drain()
    {
        List<Value> rest = [.. Items];
        Items.Clear();
        return rest;
    }
}

/// <summary>A pair of <c>groupby</c>, which also answers to <c>.grouper</c> and <c>.list</c>.</summary>
internal sealed class GroupValue(Value grouper, Value list) : SequenceValue([grouper, list])
{
    public Value? Member(string name)
    {
        return name switch { "grouper" => Items[0], "list" => Items[1], _ => null };
    }
}

/// <summary>A dictionary in insertion order, with Python's key equality (1, 1.0 and True are one key).</summary>
internal sealed class DictValue(bool fromClient = false)
{
    /// <summary>Whether the braces and colons of its printed form count as the client's text.</summary>
    public bool FromClient { get; } = fromClient;

    public OrderedDictionary<Value, Value> Entries { get; } = new(ValueComparer.Instance);

    public bool TryGet(Value key, out Value value)
    {
        return Entries.TryGetValue(key, out value);
    }

    public List<Value> Keys()
    {
        return [.. Entries.Keys];
    }

    public List<Value> Items()
    {
        List<Value> items = new(Entries.Count);
        foreach ((Value key, Value value) in Entries)
        {
            items.Add(Value.FromTuple([key, value]));
        }

        return items;
    }
}

namespace Sluice.Text.Jinja;

/// <summary>
/// An immutable string whose characters know their <see cref="Origin"/>. Joining makes a rope and slicing a view, so
/// that templates which wrap, trim and accumulate megabytes of content copy them once, when they are printed.
/// A rope flattens itself on the first access to its characters (not thread-safe: ropes live within one rendering;
/// the leaves of a parsed template are never changed).
/// </summary>
internal sealed class TrackedString
{
    public static readonly TrackedString Empty = new("", Origin.Template);

    // Leaf: characters [_start, _start + Length) of _source; _runs (ends in _source's indices) where origins are mixed.
    private string? _source;
    private readonly int _start;
    private OriginRun[]? _runs;

    // Rope.
    private TrackedString? _left;
    private TrackedString? _right;
    private RenderBudget? _budget;

    public TrackedString(string source, Origin origin)
        : this(source, 0, source.Length, origin, null)
    {
    }

    public TrackedString(string source, OriginRun[] runs, Origin mask)
        : this(source, 0, source.Length, mask, IsSingle(mask) ? null : runs)
    {
    }

    private TrackedString(string source, int start, int length, Origin mask, OriginRun[]? runs)
    {
        _source = source;
        _start = start;
        Length = length;
        Mask = length == 0 ? Origin.Template : mask;
        _runs = runs;
    }

    private TrackedString(TrackedString left, TrackedString right, RenderBudget budget)
    {
        _left = left;
        _right = right;
        _budget = budget;
        Length = left.Length + right.Length;
        Mask = left.Mask | right.Mask;
    }

    /// <summary>UTF-16 code units.</summary>
    public int Length { get; }

    public Origin Mask { get; }

    public static TrackedString Concat(TrackedString left, TrackedString right, RenderBudget budget)
    {
        if (left.Length == 0)
        {
            return right;
        }

        if (right.Length == 0)
        {
            return left;
        }

        if ((long)left.Length + right.Length > RenderBudget.MaxCharacters)
        {
            throw RenderBudget.CharactersSpent();
        }

        return new TrackedString(left, right, budget);
    }

    public ReadOnlySpan<char> AsSpan()
    {
        if (_source is null)
        {
            Flatten();
        }

        return _source.AsSpan(_start, Length);
    }

    public TrackedString Slice(int start, int length)
    {
        if (length == 0)
        {
            return Empty;
        }

        if (start == 0 && length == Length)
        {
            return this;
        }

        if (_source is null)
        {
            Flatten();
        }

        int first = _start + start;
        Origin mask = _runs is null ? Mask : MaskOf(_runs, first, first + length);
        return new TrackedString(_source!, first, length, mask, IsSingle(mask) ? null : _runs);
    }

    /// <summary>The same origins under other characters: for maps of character to character.</summary>
    public TrackedString WithCharacters(string mapped)
    {
        if (mapped.Length != Length)
        {
            throw new ArgumentException("A character map keeps the length.", nameof(mapped));
        }

        if (IsSingle(Mask))
        {
            return new TrackedString(mapped, Mask);
        }

        List<OriginRun> runs = [];
        int position = 0;
        while (position < Length)
        {
            int end = RunEnd(position, out Origin origin);
            runs.Add(new OriginRun(end, origin));
            position = end;
        }

        return new TrackedString(mapped, [.. runs], Mask);
    }

    /// <summary>The end (exclusive) of the run of one origin that holds the character at <paramref name="position"/>.</summary>
    public int RunEnd(int position, out Origin origin)
    {
        if (_source is null)
        {
            Flatten();
        }

        if (_runs is null)
        {
            origin = Mask;
            return Length;
        }

        OriginRun run = _runs[FindRun(_runs, _start + position)];
        origin = run.Origin;
        return Math.Min(run.End - _start, Length);
    }

    /// <summary>Visits the leaves in order without flattening.</summary>
    public void AppendTo(TextBuilder builder)
    {
        if (_source is not null)
        {
            AppendLeaf(builder);
            return;
        }

        Stack<TrackedString> pending = new();
        TrackedString current = this;
        while (true)
        {
            while (current._source is null)
            {
                pending.Push(current._right!);
                current = current._left!;
            }

            current.AppendLeaf(builder);
            if (!pending.TryPop(out TrackedString? next))
            {
                return;
            }

            current = next;
        }
    }

    public bool ContentEquals(TrackedString other)
    {
        return Length == other.Length && AsSpan().SequenceEqual(other.AsSpan());
    }

    public override string ToString()
    {
        ReadOnlySpan<char> characters = AsSpan();
        return characters.Length == _source!.Length ? _source : characters.ToString();
    }

    private static bool IsSingle(Origin mask)
    {
        return (mask & (mask - 1)) == 0;
    }

    private static int FindRun(OriginRun[] runs, int index)
    {
        int low = 0;
        int high = runs.Length - 1;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (runs[middle].End > index)
            {
                high = middle;
            }
            else
            {
                low = middle + 1;
            }
        }

        return low;
    }

    private static Origin MaskOf(OriginRun[] runs, int start, int end)
    {
        Origin mask = Origin.None;
        for (int i = FindRun(runs, start); i < runs.Length; i++)
        {
            mask |= runs[i].Origin;
            if (runs[i].End >= end)
            {
                break;
            }
        }

        return mask;
    }

    private void AppendLeaf(TextBuilder builder)
    {
        if (_runs is null)
        {
            builder.Append(_source.AsSpan(_start, Length), Mask);
            return;
        }

        int position = 0;
        while (position < Length)
        {
            int end = RunEnd(position, out Origin origin);
            builder.Append(_source.AsSpan(_start + position, end - position), origin);
            position = end;
        }
    }

    private void Flatten()
    {
        TextBuilder builder = new(_budget!, Length);
        AppendTo(builder);
        (_source, OriginRun[] runs) = builder.Finish();
        _runs = IsSingle(Mask) ? null : runs;
        _left = null;
        _right = null;
        _budget = null;
    }
}

namespace Sluice.Text.Jinja;

/// <summary>The string algorithms that methods and filters share; all keep the origin of every character.</summary>
internal static class TextOperations
{
    /// <summary>Python's str.isspace, which also counts the four ASCII separators.</summary>
    public static bool IsSpace(char character)
    {
        return char.IsWhiteSpace(character) || character is >= '\x1c' and <= '\x1f';
    }

    /// <summary>Python's strip: whitespace, or any of the given characters.</summary>
    public static TrackedString Strip(TrackedString text, Value characters, bool atStart, bool atEnd, RenderContext context)
    {
        PythonTypes.RequireDefined(characters);
        ReadOnlySpan<char> all = text.AsSpan();
        ReadOnlySpan<char> set = characters.IsMissing || characters.IsNone ? default : Arguments.Text(characters, "strip").AsSpan();
        bool isWhitespace = characters.IsMissing || characters.IsNone;
        int start = 0;
        int end = all.Length;
        while (atStart && start < end && (isWhitespace ? IsSpace(all[start]) : set.Contains(all[start])))
        {
            start++;
        }

        while (atEnd && end > start && (isWhitespace ? IsSpace(all[end - 1]) : set.Contains(all[end - 1])))
        {
            end--;
        }

        context.Budget.ChargeScan((long)(all.Length - (end - start)) * (8 + set.Length));
        return text.Slice(start, end - start);
    }

    public static TrackedString Replace(TrackedString text, TrackedString old, TrackedString replacement, long limit, RenderContext context)
    {
        context.Budget.ChargeScan(text.Length);
        ReadOnlySpan<char> all = text.AsSpan();
        ReadOnlySpan<char> wanted = old.AsSpan();
        limit = limit < 0 ? long.MaxValue : limit;
        int found = wanted.IsEmpty ? 0 : all.IndexOf(wanted, StringComparison.Ordinal);
        if (found < 0 || limit == 0)
        {
            return text;
        }

        TextBuilder builder = new(context.Budget);
        int position = 0;
        for (long count = 0; count < limit && found >= 0; count++)
        {
            context.Budget.ChargeSteps(2);
            builder.Append(text.Slice(position, found - position));
            builder.Append(replacement);
            position = found + wanted.Length;
            if (wanted.IsEmpty)
            {
                if (position >= all.Length)
                {
                    return builder.ToTracked();
                }

                found = position + CodePoints.WidthAt(all, position);
                continue;
            }

            found = all[position..].IndexOf(wanted, StringComparison.Ordinal) is int next and >= 0 ? position + next : -1;
        }

        builder.Append(text.Slice(position, all.Length - position));
        return builder.ToTracked();
    }

    public static List<Value> Split(Value target, TrackedString separator, long limit, RenderContext context)
    {
        if (separator.Length == 0)
        {
            throw new ChatTemplateException("empty separator");
        }

        TrackedString text = target.Text;
        context.Budget.ChargeScan(text.Length);
        ReadOnlySpan<char> all = text.AsSpan();
        List<Value> parts = [];
        int position = 0;
        while (limit < 0 || parts.Count < limit)
        {
            int found = all[position..].IndexOf(separator.AsSpan(), StringComparison.Ordinal);
            if (found < 0)
            {
                break;
            }

            context.Budget.ChargeSteps(3);
            parts.Add(new Value(text.Slice(position, found), target.IsMarkup));
            position += found + separator.Length;
        }

        parts.Add(new Value(text.Slice(position, all.Length - position), target.IsMarkup));
        return parts;
    }

    public static List<Value> SplitFromEnd(Value target, TrackedString separator, long limit, RenderContext context)
    {
        if (separator.Length == 0)
        {
            throw new ChatTemplateException("empty separator");
        }

        TrackedString text = target.Text;
        context.Budget.ChargeScan(text.Length);
        ReadOnlySpan<char> all = text.AsSpan();
        List<Value> parts = [];
        int end = all.Length;
        while (limit < 0 || parts.Count < limit)
        {
            int found = all[..end].LastIndexOf(separator.AsSpan(), StringComparison.Ordinal);
            if (found < 0)
            {
                break;
            }

            context.Budget.ChargeSteps(1);
            int start = found + separator.Length;
            parts.Add(new Value(text.Slice(start, end - start), target.IsMarkup));
            end = found;
        }

        parts.Add(new Value(text.Slice(0, end), target.IsMarkup));
        parts.Reverse();
        return parts;
    }

    /// <summary>split() without separator: runs of whitespace, none at the ends. A limit leaves the rest as it is.</summary>
    public static List<Value> SplitWhitespace(Value target, long limit, bool fromEnd, RenderContext context)
    {
        TrackedString text = target.Text;
        context.Budget.ChargeScan(4L * text.Length);
        ReadOnlySpan<char> all = text.AsSpan();
        List<(int Start, int End)> words = [];
        int position = 0;
        while (position < all.Length)
        {
            int start = position;
            while (position < all.Length && !IsSpace(all[position]))
            {
                position++;
            }

            if (position > start)
            {
                context.Budget.ChargeSteps(3);
                words.Add((start, position));
            }

            position++;
        }

        if (limit >= 0 && words.Count > limit + 1)
        {
            int kept = (int)limit;
            int surplus = words.Count - kept;
            if (fromEnd)
            {
                words = [(0, words[surplus - 1].End), .. words[surplus..]];
            }
            else
            {
                words = [.. words[..kept], (words[kept].Start, all.Length)];
            }
        }

        return words.ConvertAll(word => new Value(text.Slice(word.Start, word.End - word.Start), target.IsMarkup));
    }

    public static List<Value> SplitLines(Value target, bool keepEnds, RenderContext context)
    {
        TrackedString text = target.Text;
        context.Budget.ChargeScan(4L * text.Length);
        ReadOnlySpan<char> all = text.AsSpan();
        List<Value> lines = [];
        int start = 0;
        for (int i = 0; i < all.Length; i++)
        {
            if (all[i] is not ('\n' or '\r' or '\v' or '\f' or >= '\x1c' and <= '\x1e' or '\x85' or '\u2028' or '\u2029'))
            {
                continue;
            }

            int end = i;
            i += all[i] == '\r' && i + 1 < all.Length && all[i + 1] == '\n' ? 1 : 0;
            context.Budget.ChargeSteps(3);
            lines.Add(new Value(text.Slice(start, (keepEnds ? i + 1 : end) - start), target.IsMarkup));
            start = i + 1;
        }

        if (start < all.Length)
        {
            lines.Add(new Value(text.Slice(start, all.Length - start), target.IsMarkup));
        }

        return lines;
    }

    /// <summary>Maps characters one to one, with a state that says whether a word has begun.</summary>
    public static Value Map(Value target, Func<char, char, char> map, RenderContext context)
    {
        TrackedString text = target.Text;
        context.Budget.ChargeCharacters(text.Length);
        context.Budget.ChargeScan(3L * text.Length);
        string mapped = string.Create(text.Length, (text, map), static (output, state) =>
        {
            ReadOnlySpan<char> input = state.text.AsSpan();
            char previous = '\0';
            for (int i = 0; i < input.Length; i++)
            {
                output[i] = state.map(previous, input[i]);
                previous = input[i];
            }
        });
        return new Value(text.WithCharacters(mapped), target.IsMarkup);
    }

    public static Value Join(TrackedString separator, List<Value> items, bool isStrict, bool isMarkup, RenderContext context)
    {
        TextBuilder builder = new(context.Budget);
        for (int i = 0; i < items.Count; i++)
        {
            Value item = items[i];
            if (isStrict && !item.IsString)
            {
                PythonTypes.RequireDefined(item);
                throw new ChatTemplateException($"sequence item {i}: expected str instance, {PythonTypes.NameOf(item)} found");
            }

            if (i > 0)
            {
                builder.Append(separator);
            }

            if (isMarkup && item.IsString && !item.IsMarkup)
            {
                builder.Append(Markup.Escape(item.Text, context));
            }
            else
            {
                PythonFormat.Write(item, builder, context);
            }
        }

        return new Value(builder.ToTracked(), isMarkup);
    }
}

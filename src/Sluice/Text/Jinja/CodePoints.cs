namespace Sluice.Text.Jinja;

/// <summary>Python counts strings in code points, .NET in UTF-16 units: the bridge, free where there are no surrogates.</summary>
internal static class CodePoints
{
    public static bool IsPlain(ReadOnlySpan<char> text)
    {
        return text.IndexOfAnyInRange('\uD800', '\uDFFF') < 0;
    }

    public static int Count(ReadOnlySpan<char> text)
    {
        if (IsPlain(text))
        {
            return text.Length;
        }

        int count = 0;
        for (int i = 0; i < text.Length; i += WidthAt(text, i))
        {
            count++;
        }

        return count;
    }

    /// <summary>The UTF-16 index of a code point, at most the text's length.</summary>
    public static int ToUtf16(ReadOnlySpan<char> text, int codePoint)
    {
        if (IsPlain(text))
        {
            return Math.Min(codePoint, text.Length);
        }

        int index = 0;
        while (codePoint > 0 && index < text.Length)
        {
            index += WidthAt(text, index);
            codePoint--;
        }

        return index;
    }

    public static int WidthAt(ReadOnlySpan<char> text, int index)
    {
        return char.IsHighSurrogate(text[index]) && index + 1 < text.Length && char.IsLowSurrogate(text[index + 1]) ? 2 : 1;
    }

    /// <summary>One string a code point.</summary>
    public static List<Value> Split(TrackedString text, RenderContext context)
    {
        context.Budget.ChargeSteps(2L * text.Length);
        ReadOnlySpan<char> characters = text.AsSpan();
        List<Value> items = new(characters.Length);
        int index = 0;
        while (index < characters.Length)
        {
            int width = WidthAt(characters, index);
            items.Add(new Value(text.Slice(index, width)));
            index += width;
        }

        return items;
    }
}

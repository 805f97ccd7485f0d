namespace Sluice.Text.Jinja;

/// <summary>Filling a text up to a width in code points.</summary>
internal static class Padding
{
    /// <param name="text">What to pad.</param>
    /// <param name="width">Code points wanted; a longer text stays whole.</param>
    /// <param name="fill">The character to fill with.</param>
    /// <param name="alignment">Where the text stands: one of &lt; &gt; ^, or c for str.center, whose odd column goes left where the width is odd.</param>
    /// <param name="output">Where it goes.</param>
    public static void Write(TrackedString text, long width, char fill, char alignment, TextBuilder output)
    {
        output.Budget.ChargeScan(text.Length);
        long missing = Math.Max(0, width - CodePoints.Count(text.AsSpan()));
        if (missing > RenderBudget.MaxCharacters)
        {
            throw RenderBudget.CharactersSpent();
        }

        int before = (int)(alignment switch { '<' => 0, '>' => missing, 'c' => (missing / 2) + (missing & width & 1), _ => missing / 2 });
        output.Append(fill, before, Origin.Template);
        output.Append(text);
        output.Append(fill, (int)missing - before, Origin.Template);
    }

    public static Value Pad(Value text, Value width, Value fill, char alignment, RenderContext context)
    {
        TextBuilder output = new(context.Budget);
        char character = fill.IsString && fill.Text.Length == 1 ? fill.Text.AsSpan()[0] : ' ';
        Write(text.Text, Arguments.Integer(width, 0), character, alignment, output);
        return new Value(output.ToTracked(), text.IsMarkup);
    }
}

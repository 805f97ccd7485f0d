namespace Sluice.Text.Unicode;

/// <summary>Text without lone surrogates.</summary>
internal static class WellFormedText
{
    private const char Replacement = '\uFFFD';

    /// <summary>The text with every lone surrogate replaced by U+FFFD; the same string, and the same indices, where there are none.</summary>
    public static string Of(string text)
    {
        int first = FindLoneSurrogate(text, 0);
        if (first < 0)
        {
            return text;
        }

        char[] fixedText = text.ToCharArray();
        for (int index = first; index >= 0; index = FindLoneSurrogate(text, index + 1))
        {
            fixedText[index] = Replacement;
        }

        return new string(fixedText);
    }

    private static int FindLoneSurrogate(ReadOnlySpan<char> text, int start)
    {
        int index = start;
        while (index < text.Length)
        {
            int found = text[index..].IndexOfAnyInRange('\uD800', '\uDFFF');
            if (found < 0)
            {
                return -1;
            }

            index += found;
            bool isPair = char.IsHighSurrogate(text[index]) && index + 1 < text.Length && char.IsLowSurrogate(text[index + 1]);
            if (!isPair)
            {
                return index;
            }

            index += 2;
        }

        return -1;
    }
}

using System.Buffers;
using System.Globalization;
using System.Text;

namespace Sluice.Text.Jinja;

/// <summary>Python's repr of a string: single quotes unless that would need escapes, and \x, \u, \U for what does not print.</summary>
internal static class PythonStringRepr
{
    private static readonly SearchValues<char> PrintableAscii = SearchValues.Create(
        [.. Enumerable.Range(0x20, 0x7F - 0x20).Select(code => (char)code).Where(character => character is not ('\'' or '\\'))]);

    public static void Write(TrackedString text, TextBuilder output)
    {
        ReadOnlySpan<char> all = text.AsSpan();
        char quote = all.Contains('\'') && !all.Contains('"') ? '"' : '\'';
        Origin mask = (text.Mask & Origin.Template) != 0 ? Origin.Template : Origin.Client;
        output.Append(quote, 1, mask);
        Span<char> escaped = stackalloc char[12];
        int position = 0;
        while (position < all.Length)
        {
            int end = text.RunEnd(position, out Origin origin);
            ReadOnlySpan<char> rest = all[position..end];
            while (!rest.IsEmpty)
            {
                int plain = rest.IndexOfAnyExcept(PrintableAscii);
                plain = plain < 0 ? rest.Length : plain;
                output.Append(rest[..plain], origin);
                rest = rest[plain..];
                if (!rest.IsEmpty)
                {
                    OperationStatus status = Rune.DecodeFromUtf16(rest, out Rune rune, out int width);
                    int code = status == OperationStatus.Done ? rune.Value : rest[0];
                    output.Append(Escape(code, quote, status == OperationStatus.Done, escaped), origin);
                    rest = rest[width..];
                }
            }

            position = end;
        }

        output.Append(quote, 1, mask);
    }

    private static ReadOnlySpan<char> Escape(int code, char quote, bool isValid, Span<char> buffer)
    {
        switch (code)
        {
            case '\\':
                return "\\\\";
            case '\n':
                return "\\n";
            case '\r':
                return "\\r";
            case '\t':
                return "\\t";
            case '\'':
                return quote == '\'' ? "\\'" : "'";
        }

        if (isValid && IsPrintable(new Rune(code)))
        {
            return buffer[..new Rune(code).EncodeToUtf16(buffer)];
        }

        string text = code < 0x100 ? $"\\x{code:x2}" : code < 0x10000 ? $"\\u{code:x4}" : $"\\U{code:x8}";
        text.CopyTo(buffer);
        return buffer[..text.Length];
    }

    private static bool IsPrintable(Rune rune)
    {
        return Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate
            or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator
            or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);
    }
}

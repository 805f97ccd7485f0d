using System.Globalization;
using System.Text;

namespace Sluice.Text.Jinja;

/// <summary>The backslash escapes of Python string literals; an unknown one stays as it is written.</summary>
internal static class StringEscapes
{
    /// <summary>Decodes the escape at <paramref name="index"/> (a backslash with a character after it); gives the characters read.</summary>
    public static int Decode(string source, int index, StringBuilder output)
    {
        char code = source[index + 1];
        switch (code)
        {
            case '\n':
                return 2;
            case '\\' or '\'' or '"':
                output.Append(code);
                return 2;
            case 'x':
                return DecodeHex(source, index, 2, output);
            case 'u':
                return DecodeHex(source, index, 4, output);
            case 'U':
                return DecodeHex(source, index, 8, output);
            case >= '0' and <= '7':
                int end = index + 1;
                int value = 0;
                while (end < source.Length && end < index + 4 && source[end] is >= '0' and <= '7')
                {
                    value = (value * 8) + source[end] - '0';
                    end++;
                }

                output.Append((char)value);
                return end - index;
        }

        int simple = "abfnrtv".IndexOf(code, StringComparison.Ordinal);
        if (simple >= 0)
        {
            output.Append("\a\b\f\n\r\t\v"[simple]);
        }
        else
        {
            output.Append('\\').Append(code);
        }

        return 2;
    }

    private static int DecodeHex(string source, int index, int digits, StringBuilder output)
    {
        int start = index + 2;
        if (start + digits <= source.Length
            && int.TryParse(source.AsSpan(start, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value))
        {
            if (Rune.IsValid(value))
            {
                output.Append(new Rune(value).ToString());
                return digits + 2;
            }

            if (value is >= 0xD800 and <= 0xDFFF)
            {
                output.Append((char)value);
                return digits + 2;
            }
        }

        output.Append('\\').Append(source[index + 1]);
        return 2;
    }
}

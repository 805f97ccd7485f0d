using System.Globalization;
using System.Text;

namespace Sluice.Text.Jinja;

/// <summary>C's strftime in the C locale, for <c>strftime_now</c>; "%-d" and the like drop the padding. Time zones are empty, as for the naive time that it stands for.</summary>
internal static class Strftime
{
    public static string Format(string format, DateTimeOffset time)
    {
        StringBuilder output = new();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 >= format.Length)
            {
                output.Append(format[i]);
                continue;
            }

            bool isBare = format[i + 1] == '-' && i + 2 < format.Length;
            i += isBare ? 2 : 1;
            string? field = Field(format[i], time);
            string shown = field ?? (isBare ? "%-" : "%") + format[i];
            output.Append(isBare && field is not null ? DropPadding(shown) : shown);
        }

        return output.ToString();
    }

    private static string DropPadding(string field)
    {
        string bare = field.TrimStart('0', ' ');
        return bare.Length == 0 ? "0" : bare;
    }

    private static string? Field(char code, DateTimeOffset time)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        int firstWeekday = (int)time.DayOfWeek;
        return code switch
        {
            'a' => time.ToString("ddd", culture),
            'A' => time.ToString("dddd", culture),
            'b' or 'h' => time.ToString("MMM", culture),
            'B' => time.ToString("MMMM", culture),
            'c' => Format("%a %b %e %H:%M:%S %Y", time),
            'C' => (time.Year / 100).ToString("00", culture),
            'd' => time.ToString("dd", culture),
            'D' or 'x' => Format("%m/%d/%y", time),
            'e' => time.Day.ToString(culture).PadLeft(2),
            'f' => time.ToString("ffffff", culture),
            'F' => Format("%Y-%m-%d", time),
            'G' => ISOWeek.GetYear(time.DateTime).ToString(culture),
            'H' => time.ToString("HH", culture),
            'I' => time.ToString("hh", culture),
            'j' => time.DayOfYear.ToString("000", culture),
            'm' => time.ToString("MM", culture),
            'M' => time.ToString("mm", culture),
            'n' => "\n",
            'p' => time.Hour < 12 ? "AM" : "PM",
            'R' => Format("%H:%M", time),
            's' => time.ToUnixTimeSeconds().ToString(culture),
            'S' => time.ToString("ss", culture),
            't' => "\t",
            'T' or 'X' => Format("%H:%M:%S", time),
            'u' => (firstWeekday == 0 ? 7 : firstWeekday).ToString(culture),
            'U' => ((time.DayOfYear + 6 - firstWeekday) / 7).ToString("00", culture),
            'V' => ISOWeek.GetWeekOfYear(time.DateTime).ToString("00", culture),
            'w' => firstWeekday.ToString(culture),
            'W' => ((time.DayOfYear + 6 - ((firstWeekday + 6) % 7)) / 7).ToString("00", culture),
            'y' => (time.Year % 100).ToString("00", culture),
            'Y' => time.Year.ToString("0000", culture),
            'z' or 'Z' => "",
            '%' => "%",
            _ => null,
        };
    }
}

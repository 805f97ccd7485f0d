using System.Buffers;

namespace Sluice.Text.Jinja;

/// <summary>HTML escaping, which templates meet through <c>safe</c>, <c>escape</c> and what they are joined with.</summary>
internal static class Markup
{
    private static readonly SearchValues<char> Special = SearchValues.Create("&<>'\"");

    public static TrackedString Escape(TrackedString text, RenderContext context)
    {
        context.Budget.ChargeScan(text.Length);
        if (text.AsSpan().IndexOfAny(Special) < 0)
        {
            return text;
        }

        TextBuilder builder = new(context.Budget, text.Length + 16);
        int position = 0;
        while (position < text.Length)
        {
            int end = text.RunEnd(position, out Origin origin);
            ReadOnlySpan<char> rest = text.AsSpan()[position..end];
            for (int special = rest.IndexOfAny(Special); special >= 0; special = rest.IndexOfAny(Special))
            {
                builder.Append(rest[..special], origin);
                builder.Append(rest[special] switch { '&' => "&amp;", '<' => "&lt;", '>' => "&gt;", '\'' => "&#39;", _ => "&#34;" }, origin);
                rest = rest[(special + 1)..];
            }

            builder.Append(rest, origin);
            position = end;
        }

        return builder.ToTracked();
    }
}

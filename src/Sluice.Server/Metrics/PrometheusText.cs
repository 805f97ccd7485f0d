using System.Globalization;
using System.Text;

namespace Sluice.Server.Metrics;

/// <summary>Writes Prometheus' text format, with numbers as the Python client writes them, since scripts grep them: 1.0, +Inf.</summary>
internal sealed class PrometheusText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly StringBuilder _text = new(16 * 1024);

    public void Family(string name, string type, string help) =>
        _text.Append("# HELP ").Append(name).Append(' ').Append(help.Replace("\\", "\\\\", StringComparison.Ordinal)).Append('\n')
            .Append("# TYPE ").Append(name).Append(' ').Append(type).Append('\n');

    /// <param name="name">Name of the sample.</param>
    /// <param name="labels">As they stand between the braces; empty for none.</param>
    /// <param name="value">Value.</param>
    public void Sample(string name, string labels, double value)
    {
        _text.Append(name);
        if (labels.Length > 0)
        {
            _text.Append('{').Append(labels).Append('}');
        }

        _text.Append(' ').Append(Number(value)).Append('\n');
    }

    /// <param name="name">Name of the family.</param>
    /// <param name="labels">Labels of all samples.</param>
    /// <param name="bounds">Upper bounds of all buckets but the last.</param>
    /// <param name="cumulative">Counts, each with those before; one more than bounds.</param>
    /// <param name="sum">Sum of all observations.</param>
    public void Histogram(string name, string labels, ReadOnlySpan<double> bounds, ReadOnlySpan<long> cumulative, double sum)
    {
        string rest = labels.Length > 0 ? "," + labels : "";
        for (int bucket = 0; bucket < cumulative.Length; bucket++)
        {
            string bound = bucket < bounds.Length ? Number(bounds[bucket]) : "+Inf";
            Sample(name + "_bucket", $"le=\"{bound}\"{rest}", cumulative[bucket]);
        }

        Sample(name + "_count", labels, cumulative[^1]);
        Sample(name + "_sum", labels, sum);
    }

    /// <summary>A label value with what would end it escaped.</summary>
    public static string Escape(string value) =>
        value.Replace("\\", "\\\\", StringComparison.Ordinal)
            .Replace("\"", "\\\"", StringComparison.Ordinal)
            .Replace("\n", "\\n", StringComparison.Ordinal);

    public byte[] ToUtf8() => Encoding.UTF8.GetBytes(_text.ToString());

    private static string Number(double value)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
        }

        return value.Equals(Math.Floor(value)) && Math.Abs(value) < 1e15
            ? value.ToString("0.0", CultureInfo.InvariantCulture)
            : value.ToString("R", CultureInfo.InvariantCulture).Replace("E", "e", StringComparison.Ordinal);
    }
}

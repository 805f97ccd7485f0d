using System.Globalization;
using System.Text.Json;

namespace Sluice.Cli.Flags;

/// <summary>Checks one value against its row of the table.</summary>
internal static class FlagCheck
{
    /// <exception cref="UserErrorException">The value is malformed, out of range, or asks for what is not there yet.</exception>
    public static void Check(Flag flag, string value)
    {
        CheckForm(flag, value);
        if (flag.Support == FlagSupport.NotSupportedYet && !AsksForNothing(flag, value))
        {
            throw NotSupportedYet(flag, value);
        }

        if (flag.Support != FlagSupport.Used)
        {
            return;
        }

        if (flag.LaterValues.Contains(value))
        {
            throw NotSupportedYet(flag, value);
        }

        if (flag.Kind == FlagKind.Text && flag.Values is { } values && !values.Contains(value))
        {
            string nearest = NearestName.Find(value, values) is { Length: > 0 } name ? $"; did you mean {name}?" : "";
            throw new UserErrorException($"{flag.LongName} {Quoted(value)} is not one of {string.Join(", ", values.Where(text => text.Length > 0))}{nearest}");
        }
    }

    private static void CheckForm(Flag flag, string value)
    {
        if (flag.Words.Contains(value))
        {
            return;
        }

        switch (flag.Kind)
        {
            case FlagKind.Switch when value is not ("true" or "false"):
                throw new UserErrorException($"{flag.LongName} is a switch: write {flag.LongName} or --no-{flag.Name}, not {flag.LongName}={value}.");
            case FlagKind.Integer when !HumanNumber.TryParseInteger(value, out _):
                throw new UserErrorException($"{flag.LongName} {Quoted(value)} is not a whole number (8192 and 8k are){WordsOf(flag)}.");
            case FlagKind.Integer when HumanNumber.TryParseInteger(value, out long integer):
                CheckRange(flag, value, integer);
                break;
            case FlagKind.Number when !TryNumber(value, out _):
                throw new UserErrorException($"{flag.LongName} {Quoted(value)} is not a number.");
            case FlagKind.Number when TryNumber(value, out double number):
                CheckRange(flag, value, number);
                break;
            case FlagKind.Bytes when !HumanNumber.TryParseBytes(value, out _):
                throw new UserErrorException($"{flag.LongName} {Quoted(value)} is not a size (4GiB, 512MB and plain bytes are).");
            case FlagKind.Bytes when HumanNumber.TryParseBytes(value, out long bytes):
                CheckRange(flag, value, bytes);
                break;
            case FlagKind.Json:
                CheckJson(flag, value);
                break;
            default:
                break;
        }
    }

    private static void CheckRange(Flag flag, string value, double number)
    {
        if (number >= flag.Minimum && number <= flag.Maximum)
        {
            return;
        }

        string range = double.IsInfinity(flag.Maximum) || flag.Maximum >= int.MaxValue
            ? flag.Minimum == double.Epsilon ? "be above 0" : $"be at least {flag.Minimum}"
            : flag.Minimum == double.Epsilon ? $"be above 0 and at most {flag.Maximum}" : $"be from {flag.Minimum} to {flag.Maximum}";
        throw new UserErrorException($"{flag.LongName} {value} is out of range: it must {range}{WordsOf(flag)}.");
    }

    private static void CheckJson(Flag flag, string value)
    {
        if (flag.Support == FlagSupport.NotNeeded)
        {
            return;
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(value);
            bool wantsList = flag.Default?.StartsWith('[') == true;
            if (document.RootElement.ValueKind != (wantsList ? JsonValueKind.Array : JsonValueKind.Object))
            {
                throw new UserErrorException($"{flag.LongName} must be a JSON {(wantsList ? "list" : "object")}, as '{(wantsList ? "[\"a\"]" : "{\"name\": 1}")}'; found {value}.");
            }
        }
        catch (JsonException exception)
        {
            throw new UserErrorException($"{flag.LongName} is not JSON (at character {exception.BytePositionInLine + 1}): {value}");
        }
    }

    private static bool AsksForNothing(Flag flag, string value) =>
        (flag.Values?.Contains(value) ?? false)
        || (flag.Values is { Count: > 0 } && TryNumber(value, out double number) && flag.Values.Any(text => TryNumber(text, out double harmless) && harmless == number));

    private static UserErrorException NotSupportedYet(Flag flag, string value)
    {
        string given = flag.Kind == FlagKind.Switch ? value == "true" ? flag.LongName : $"--no-{flag.Name}" : $"{flag.LongName} {value}";
        IEnumerable<string> accepted = (flag.Values ?? []).Where(text => text.Length > 0);
        string advice = flag.Note
            ?? (flag.Kind != FlagKind.Switch && accepted.Any() ? $"leave it out, or give {string.Join(" or ", accepted)}" : "leave it out");
        return new UserErrorException($"{given} is not supported yet: {advice}.");
    }

    private static string WordsOf(Flag flag) =>
        flag.Words.Where(word => !word.StartsWith('-')).ToArray() is { Length: > 0 } words ? $", or {string.Join(", ", words)}" : "";

    private static string Quoted(string value) => $"'{value}'";

    private static bool TryNumber(string text, out double value) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value) && double.IsFinite(value);
}

using System.Reflection;
using System.Text.Json;
using Sluice.Requests;
using Sluice.Server.OpenAi;

namespace Sluice.Server.Tests.OpenAi;

public sealed class FieldsTests
{
    [Theory]
    [InlineData("3", 3L)]
    [InlineData("3.0", 3L)]
    [InlineData("1e3", 1000L)]
    [InlineData("-0.0", 0L)]
    [InlineData("9007199254740993", 9007199254740993L)]
    public void Integer_WholeNumber_IsRead(string json, long expected) => Assert.Equal(expected, Read($$"""{"seed":{{json}}}""").Integer(Limits.Seed));

    [Theory]
    [InlineData("\"3\"")]
    [InlineData("1.5")]
    [InlineData("true")]
    [InlineData("[3]")]
    [InlineData("1e30")]
    [InlineData("9223372036854775808")]
    public void Integer_Other_IsRefused(string json)
    {
        RequestValidationException wrong =
            Assert.Throws<RequestValidationException>(() => Read($$"""{"seed":{{json}}}""").Integer(Limits.Seed));
        Assert.Equal("seed", wrong.Parameter);
        Assert.StartsWith("seed must be an integer", wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Null_IsAbsent() => Assert.Null(Read("""{"seed":null}""").Integer(Limits.Seed));

    [Fact]
    public void Complaint_LongValue_IsCutAndEscaped()
    {
        RequestValidationException wrong = Assert.Throws<RequestValidationException>(
            () => Read($$"""{"temperature":"{{new string('é', 5000)}}"}""").Number(Limits.Temperature));
        Assert.EndsWith("...", wrong.Message, StringComparison.Ordinal);
        Assert.InRange(wrong.Message.Length, Quote.MaxLength, Quote.MaxLength + 60);
        Assert.Equal("a\\u000ab\\u202ec", Quote.Plain("a\nb\u202Ec", 80));
    }

    [Fact]
    public void Limits_EveryTextAndList_HasACap()
    {
        // Prompts and lists of ids are capped by the body, the context and SamplingParams; what is only kept or hashed needs its own cap.
        string[] cappedElsewhere = ["model", "stop", "stop_token_ids", "allowed_token_ids", "tokens"];
        foreach (FieldInfo field in typeof(Limits).GetFields(BindingFlags.Public | BindingFlags.Static))
        {
            if (field.GetValue(null) is FieldLimit limit && !cappedElsewhere.Contains(limit.Name))
            {
                bool isCapped = limit.Kind switch
                {
                    FieldKind.Text => limit.MaxLength < int.MaxValue,
                    FieldKind.Texts => limit.MaxLength < int.MaxValue && limit.MaxCount < int.MaxValue,
                    FieldKind.List or FieldKind.TokenIds => limit.MaxCount < int.MaxValue,
                    _ => true,
                };
                Assert.True(isCapped, limit.Name);
            }
        }
    }

    [Fact]
    public void Numbers_EveryRow_RefusesWhatIsNoFiniteNumber()
    {
        foreach (FieldInfo field in typeof(Limits).GetFields(BindingFlags.Public | BindingFlags.Static))
        {
            if (field.GetValue(null) is FieldLimit { Kind: FieldKind.Number } limit)
            {
                foreach (string value in (string[])["\"NaN\"", "\"Infinity\"", "1e400", "-1e400", "true", "[]", "{}", "\"1\""])
                {
                    RequestValidationException wrong = Assert.Throws<RequestValidationException>(
                        () => Read($$"""{"{{limit.Name}}":{{value}}}""").Number(limit));
                    Assert.Equal(limit.Name, wrong.Parameter);
                }
            }
        }
    }

    private static Fields Read(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return new Fields(document.RootElement.Clone());
    }
}

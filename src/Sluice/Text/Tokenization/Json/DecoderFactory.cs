using System.Text;
using System.Text.Json;
using Sluice.Text.Patterns;
using Sluice.Text.Tokenization.Decoders;
using Sluice.Text.Tokenization.PreTokenizers;

namespace Sluice.Text.Tokenization.Json;

/// <summary>Reads decoders. Keeps how to make the stages of a stream, and how one token looks by itself.</summary>
internal sealed class DecoderFactory
{
    private readonly List<Func<bool, DecoderStage>> _stages = [];
    private readonly List<Func<string, string>> _tokenMaps = [];
    private bool _fused;
    private Func<string, byte[]> _toBytes = Encoding.UTF8.GetBytes;

    private DecoderFactory()
    {
    }

    public static TokenDecoder Create(JsonElement? element)
    {
        var factory = new DecoderFactory();
        if (element is { } root)
        {
            factory.Add(root);
        }

        bool byteLevelOnly = element is not null && factory._stages is [var only] && only(false) is ByteLevelStage;
        return new TokenDecoder(factory._stages, factory._tokenMaps, element is null ? " " : "", byteLevelOnly, factory._toBytes);
    }

    private void Add(JsonElement element)
    {
        string type = element.RequiredString("type", "a decoder");
        string where = $"the decoder {type}";
        switch (type)
        {
            case "Sequence":
                foreach (JsonElement inner in element.Array("decoders", where))
                {
                    Add(inner);
                }

                break;
            case "ByteLevel":
                _stages.Add(static _ => new ByteLevelStage());
                _toBytes = ByteLevelStage.ToBytes;
                _fused = true;
                break;
            case "ByteFallback":
                RequireTokens(where);
                _stages.Add(static streaming => new ByteFallbackStage(streaming));
                _toBytes = static token => ByteFallbackStage.TryParse(token, out byte value) ? [value] : Encoding.UTF8.GetBytes(token);
                break;
            case "Fuse":
                _fused = true;
                break;
            case "Strip":
                AddStrip(element, where);
                break;
            case "Replace":
                AddReplace(element, where);
                break;
            case "Metaspace":
                RequireTokens(where);
                string mark = element.RequiredString("replacement", where);
                bool drops = PreTokenizerFactory.ReadPrependScheme(element, where) != PrependScheme.Never;
                AddFirstAndOthers(
                    token => token.Replace(mark, drops ? "" : " ", StringComparison.Ordinal),
                    token => token.Replace(mark, " ", StringComparison.Ordinal));
                break;
            case "WordPiece":
                RequireTokens(where);
                AddWordPiece(element, where);
                break;
            case "BPEDecoder":
                RequireTokens(where);
                string suffix = element.OptionalString("suffix", where) ?? "</w>";
                Func<string, string> mapOther = token => token.Replace(suffix, " ", StringComparison.Ordinal);
                Func<string, string> mapLast = token => token.Replace(suffix, "", StringComparison.Ordinal);
                _stages.Add(_ => new LastAndOthersStage(mapOther, mapLast));
                _tokenMaps.Add(mapOther);
                break;
            default:
                throw new FormatException($"decoder type \"{type}\" is not supported");
        }
    }

    private void RequireTokens(string where)
    {
        if (_fused)
        {
            throw new FormatException($"{where} after the tokens have been joined is not supported");
        }
    }

    private void AddMap(Func<string, string> map)
    {
        _stages.Add(_ => new MapStage(map));
        _tokenMaps.Add(map);
    }

    private void AddFirstAndOthers(Func<string, string> mapFirst, Func<string, string> mapOther)
    {
        _stages.Add(_ => new FirstAndOthersStage(mapFirst, mapOther));
        _tokenMaps.Add(mapOther);
    }

    private void AddStrip(JsonElement element, string where)
    {
        string content = element.RequiredString("content", where);
        if (content.Length != 1)
        {
            throw new FormatException($"\"content\" of {where} must be one character");
        }

        char unit = content[0];
        int start = element.Integer("start", 0, where);
        int stop = element.Integer("stop", 0, where);
        if (_fused)
        {
            _stages.Add(_ => new StripTextStage(unit, start, stop));
            return;
        }

        AddMap(token =>
        {
            int from = 0;
            int to = token.Length;
            while (from < to && from < start && token[from] == unit)
            {
                from++;
            }

            while (to > from && token.Length - to < stop && token[to - 1] == unit)
            {
                to--;
            }

            return token[from..to];
        });
    }

    private void AddReplace(JsonElement element, string where)
    {
        string content = element.RequiredString("content", where);
        (string? literal, TextPattern? pattern) = NormalizerFactory.ReadPattern(element, where);
        if (pattern is not null)
        {
            RequireTokens($"{where} with a regular expression");
            AddMap(token => ReplaceMatches(pattern, token, content));
        }
        else if (literal!.Length > 0 && _fused)
        {
            _stages.Add(_ => new ReplaceTextStage(literal, content));
        }
        else if (literal.Length > 0)
        {
            AddMap(token => token.Replace(literal, content, StringComparison.Ordinal));
        }
    }

    private static string ReplaceMatches(TextPattern pattern, string token, string content)
    {
        var output = new StringBuilder();
        int previous = 0;
        PatternMatcher matches = pattern.Matches(token);
        while (matches.MoveNext())
        {
            output.Append(token, previous, matches.Start - previous).Append(content);
            previous = matches.End;
        }

        return output.Append(token, previous, token.Length - previous).ToString();
    }

    private void AddWordPiece(JsonElement element, string where)
    {
        string prefix = element.OptionalString("prefix", where) ?? "##";
        bool cleanup = element.Boolean("cleanup", true, where);
        Func<string, string> clean = cleanup ? CleanUp : static token => token;
        AddFirstAndOthers(
            clean,
            token => clean(token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token));
    }

    /// <summary>The English spacing rules that the WordPiece decoder has.</summary>
    private static string CleanUp(string token)
    {
        if (!token.Contains(' ', StringComparison.Ordinal))
        {
            return token;
        }

        ReadOnlySpan<(string From, string To)> rules =
        [
            (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
            (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
        ];
        foreach ((string from, string to) in rules)
        {
            token = token.Replace(from, to, StringComparison.Ordinal);
        }

        return token;
    }
}

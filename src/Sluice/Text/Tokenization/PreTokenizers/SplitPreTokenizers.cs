using Sluice.Text.Patterns;

namespace Sluice.Text.Tokenization.PreTokenizers;

/// <summary>A pre-tokenizer that cuts and changes no character.</summary>
internal abstract class SplitPreTokenizer(SplitBehavior behavior, bool inverted) : PreTokenizer
{
    public override void Apply(PieceList input, PieceList output)
    {
        output.Text = input.Text;
        output.Pieces.Clear();
        ReadOnlySpan<char> text = input.Text.Span;
        foreach (TextSpan piece in input.Pieces)
        {
            var sink = new SplitSink(output.Pieces, behavior, inverted);
            Split(text.Slice(piece.Start, piece.Length), piece.Start, ref sink);
            sink.Finish();
        }

        output.FirstPieceStartsText = input.FirstPieceStartsText && output.Pieces.Count > 0
            && output.Pieces[0].Start == input.Pieces[0].Start;
    }

    /// <summary>Gives the sink every part of a piece; <paramref name="offset"/> is where the piece begins.</summary>
    protected abstract void Split(ReadOnlySpan<char> piece, int offset, ref SplitSink sink);
}

/// <summary>Splits at the matches of a regular expression.</summary>
internal sealed class PatternSplit(TextPattern pattern, SplitBehavior behavior, bool inverted)
    : SplitPreTokenizer(behavior, inverted)
{
    protected override void Split(ReadOnlySpan<char> piece, int offset, ref SplitSink sink)
    {
        int previous = 0;
        PatternMatcher matches = pattern.Matches(piece);
        while (matches.MoveNext())
        {
            if (matches.Start > previous)
            {
                sink.Add(offset + previous, offset + matches.Start, matches: false);
            }

            sink.Add(offset + matches.Start, offset + matches.End, matches: true);
            previous = matches.End;
        }

        if (previous < piece.Length)
        {
            sink.Add(offset + previous, offset + piece.Length, matches: false);
        }
    }
}

/// <summary>Splits at a fixed text.</summary>
internal sealed class LiteralSplit(string literal, SplitBehavior behavior, bool inverted)
    : SplitPreTokenizer(behavior, inverted)
{
    protected override void Split(ReadOnlySpan<char> piece, int offset, ref SplitSink sink)
    {
        int previous = 0;
        while (literal.Length > 0)
        {
            int found = piece[previous..].IndexOf(literal, StringComparison.Ordinal);
            if (found < 0)
            {
                break;
            }

            int start = previous + found;
            if (found > 0)
            {
                sink.Add(offset + previous, offset + start, matches: false);
            }

            previous = start + literal.Length;
            sink.Add(offset + start, offset + previous, matches: true);
        }

        if (previous < piece.Length)
        {
            sink.Add(offset + previous, offset + piece.Length, matches: false);
        }
    }
}

/// <summary>Splits at every character of a kind.</summary>
internal sealed class CharacterSplit(Func<int, bool> isDelimiter, SplitBehavior behavior)
    : SplitPreTokenizer(behavior, inverted: false)
{
    protected override void Split(ReadOnlySpan<char> piece, int offset, ref SplitSink sink)
    {
        int previous = 0;
        int unitCount;
        for (int position = 0; position < piece.Length; position += unitCount)
        {
            if (!isDelimiter(CodePoints.At(piece, position, out unitCount)))
            {
                continue;
            }

            if (position > previous)
            {
                sink.Add(offset + previous, offset + position, matches: false);
            }

            previous = position + unitCount;
            sink.Add(offset + position, offset + previous, matches: true);
        }

        if (previous < piece.Length)
        {
            sink.Add(offset + previous, offset + piece.Length, matches: false);
        }
    }
}

/// <summary>Cuts into pieces of a fixed number of characters.</summary>
internal sealed class FixedLengthSplit(int characterCount) : SplitPreTokenizer(SplitBehavior.Isolated, inverted: false)
{
    protected override void Split(ReadOnlySpan<char> piece, int offset, ref SplitSink sink)
    {
        int start = 0;
        int count = 0;
        int position = 0;
        while (position < piece.Length)
        {
            CodePoints.At(piece, position, out int unitCount);
            position += unitCount;
            if (++count == characterCount || position == piece.Length)
            {
                sink.Add(offset + start, offset + position, matches: true);
                (start, count) = (position, 0);
            }
        }
    }
}

using System.Buffers;
using System.Text;

namespace Sluice.Text.Tokenization.PreTokenizers;

/// <summary>A pre-tokenizer that changes characters: each piece is written anew and stays one piece.</summary>
internal abstract class RewritingPreTokenizer : PreTokenizer
{
    public override void Apply(PieceList input, PieceList output)
    {
        ReadOnlySpan<char> text = input.Text.Span;
        var writer = new ArrayBufferWriter<char>(text.Length + 16);
        output.Pieces.Clear();
        for (int i = 0; i < input.Pieces.Count; i++)
        {
            TextSpan piece = input.Pieces[i];
            int start = writer.WrittenCount;
            Rewrite(text.Slice(piece.Start, piece.Length), i == 0 && input.FirstPieceStartsText, writer);
            if (writer.WrittenCount > start)
            {
                output.Pieces.Add(new TextSpan(start, writer.WrittenCount - start));
            }
        }

        output.FirstPieceStartsText = input.FirstPieceStartsText;
        output.Text = writer.WrittenMemory;
    }

    protected abstract void Rewrite(ReadOnlySpan<char> piece, bool startsText, ArrayBufferWriter<char> output);
}

/// <summary>Puts a space before every piece that has none.</summary>
internal sealed class PrefixSpace : RewritingPreTokenizer
{
    protected override void Rewrite(ReadOnlySpan<char> piece, bool startsText, ArrayBufferWriter<char> output)
    {
        if (piece[0] != ' ')
        {
            output.Write(" ");
        }

        output.Write(piece);
    }
}

/// <summary>Writes the UTF-8 bytes of a piece in the byte-level alphabet, for models that look words up as text.</summary>
internal sealed class ByteLevelMapping : RewritingPreTokenizer
{
    protected override void Rewrite(ReadOnlySpan<char> piece, bool startsText, ArrayBufferWriter<char> output)
    {
        Span<byte> utf8 = stackalloc byte[4];
        foreach (Rune rune in piece.EnumerateRunes())
        {
            int length = rune.EncodeToUtf8(utf8);
            Span<char> characters = output.GetSpan(length);
            for (int i = 0; i < length; i++)
            {
                characters[i] = ByteLevelAlphabet.ToCharacter(utf8[i]);
            }

            output.Advance(length);
        }
    }
}

/// <summary>When a word mark is put before a piece.</summary>
internal enum PrependScheme
{
    Never,
    First,
    Always,
}

/// <summary>Replaces spaces by a word mark and may put one in front; SentencePiece's view of a text.</summary>
internal sealed class MetaspaceRewriting(string mark, PrependScheme scheme) : RewritingPreTokenizer
{
    protected override void Rewrite(ReadOnlySpan<char> piece, bool startsText, ArrayBufferWriter<char> output)
    {
        bool hasMark = piece[0] == ' ' || piece.StartsWith(mark, StringComparison.Ordinal);
        if (!hasMark && (scheme == PrependScheme.Always || (scheme == PrependScheme.First && startsText)))
        {
            output.Write(mark);
        }

        while (true)
        {
            int space = piece.IndexOf(' ');
            if (space < 0)
            {
                output.Write(piece);
                return;
            }

            output.Write(piece[..space]);
            output.Write(mark);
            piece = piece[(space + 1)..];
        }
    }
}

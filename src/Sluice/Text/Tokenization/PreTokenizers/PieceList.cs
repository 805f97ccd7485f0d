namespace Sluice.Text.Tokenization.PreTokenizers;

/// <summary>A text and how it is cut so far.</summary>
internal sealed class PieceList
{
    public ReadOnlyMemory<char> Text { get; set; }

    public List<TextSpan> Pieces { get; } = [];

    /// <summary>Whether the first piece begins where the user's whole text begins (some rules hold only there).</summary>
    public bool FirstPieceStartsText { get; set; }

    public void Reset(ReadOnlyMemory<char> text, bool startsText)
    {
        Text = text;
        FirstPieceStartsText = startsText;
        Pieces.Clear();
        if (text.Length > 0)
        {
            Pieces.Add(new TextSpan(0, text.Length));
        }
    }
}

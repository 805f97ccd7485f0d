namespace Sluice.Text.Tokenization.PreTokenizers;

/// <summary>Cuts a text into the words that the model splits one by one. Thread-safe.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Cuts each piece of <paramref name="input"/> further; <paramref name="output"/> is overwritten.</summary>
    public abstract void Apply(PieceList input, PieceList output);
}

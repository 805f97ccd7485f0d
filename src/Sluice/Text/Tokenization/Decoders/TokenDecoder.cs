namespace Sluice.Text.Tokenization.Decoders;

/// <summary>How a tokenizer turns token texts into text. Thread-safe; streams that it opens are not.</summary>
/// <param name="stages">Make the stages of one stream; the argument says whether characters are wanted as soon as they are complete.</param>
/// <param name="tokenMaps">What the stages do to a token in the middle of a text.</param>
/// <param name="separator">Put between tokens; a tokenizer.json without a decoder joins by spaces.</param>
/// <param name="isByteLevel">Whether the byte-level stage is all there is: text is then the tokens' bytes and nothing else.</param>
/// <param name="toBytes">The bytes of a token after the maps.</param>
internal sealed class TokenDecoder(
    IReadOnlyList<Func<bool, DecoderStage>> stages,
    IReadOnlyList<Func<string, string>> tokenMaps,
    string separator,
    bool isByteLevel,
    Func<string, byte[]> toBytes)
{
    public bool IsByteLevel => isByteLevel;

    public DecoderStream Open(bool streaming)
    {
        var opened = new DecoderStage[stages.Count];
        for (int i = 0; i < opened.Length; i++)
        {
            opened[i] = stages[i](streaming);
        }

        return new DecoderStream(opened, separator);
    }

    /// <summary>The bytes that a token stands for in the middle of a text.</summary>
    public byte[] TokenBytes(string token)
    {
        foreach (Func<string, string> map in tokenMaps)
        {
            token = map(token);
        }

        return toBytes(token);
    }
}

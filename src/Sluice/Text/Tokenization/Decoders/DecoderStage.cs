namespace Sluice.Text.Tokenization.Decoders;

/// <summary>
/// One step of decoding, over a stream of token texts. A stage keeps what it cannot decide yet and gives it out later; a whole
/// sequence is decoded by pushing all tokens and finishing. Stages are stateful and belong to one stream.
/// </summary>
internal abstract class DecoderStage
{
    /// <summary>Takes the next token's text (after a fusing stage: the next part of the one text).</summary>
    public abstract void Push(string token, Action<string> emit);

    /// <summary>The stream has ended.</summary>
    public virtual void Finish(Action<string> emit)
    {
    }
}

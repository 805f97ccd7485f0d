namespace Sluice.Text.Tokenization.Normalizers;

/// <summary>One step of what is done to a text before it is cut. Thread-safe.</summary>
internal abstract class Normalizer
{
    public abstract void Apply(NormalizedText text);
}

/// <summary>Several steps in order.</summary>
internal sealed class NormalizerSequence(IReadOnlyList<Normalizer> steps) : Normalizer
{
    public override void Apply(NormalizedText text)
    {
        foreach (Normalizer step in steps)
        {
            step.Apply(text);
        }
    }
}

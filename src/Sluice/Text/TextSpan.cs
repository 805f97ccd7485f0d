namespace Sluice.Text;

/// <summary>A part of a text, in UTF-16 units.</summary>
/// <param name="Start">Index of the first unit.</param>
/// <param name="Length">How many units.</param>
public readonly record struct TextSpan(int Start, int Length)
{
    /// <summary>The index after the last unit.</summary>
    public int End => Start + Length;
}

namespace Sluice.Text;

/// <summary>A range of a string, in UTF-16 code units.</summary>
public readonly record struct TextSpan(int Start, int Length);

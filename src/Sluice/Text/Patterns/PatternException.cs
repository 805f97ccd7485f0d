namespace Sluice.Text.Patterns;

/// <summary>A regular expression is malformed, or uses a construct that this engine does not have.</summary>
internal sealed class PatternException(string message) : Exception(message);

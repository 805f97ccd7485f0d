namespace Sluice.Weights;

/// <summary>A tensor as the header of a safetensors file describes it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="TypeName">Element type as written, such as <c>BF16</c>.</param>
/// <param name="Shape">Sizes, slowest first; empty for a scalar.</param>
/// <param name="Begin">First byte, from the end of the header.</param>
/// <param name="End">First byte after it.</param>
internal sealed record SafetensorsEntry(string Name, string TypeName, long[] Shape, long Begin, long End)
{
    public string ShapeText => $"[{string.Join(", ", Shape)}]";
}

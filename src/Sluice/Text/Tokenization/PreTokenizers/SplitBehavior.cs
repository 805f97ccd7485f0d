namespace Sluice.Text.Tokenization.PreTokenizers;

/// <summary>What becomes of the parts that match a split's pattern.</summary>
internal enum SplitBehavior
{
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,

    /// <summary>Neighbouring matches are one piece.</summary>
    Contiguous,
}

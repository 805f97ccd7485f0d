using Sluice.Compute.Ops.Linear;

namespace Sluice.Weights;

/// <summary>The same rows of each head's part of a tensor whose heads follow each other.</summary>
/// <param name="Heads">Heads.</param>
/// <param name="RowsPerHead">Rows of a head in the tensor.</param>
/// <param name="FirstRow">First of the rows that are meant, in a head.</param>
/// <param name="RowCount">How many of a head are meant.</param>
internal readonly record struct HeadRows(int Heads, int RowsPerHead, int FirstRow, int RowCount)
{
    /// <summary>Whether scales of blocks of rows can be those of columns when the rows become columns.</summary>
    public bool BecomeScaledColumns(int rowBlock) =>
        rowBlock == int.MaxValue
        || (FirstRow % rowBlock == 0 && RowsPerHead % rowBlock == 0 && (RowCount <= rowBlock || rowBlock % Float8Panel.GroupColumns == 0));
}

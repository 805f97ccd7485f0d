namespace Sluice.Compute;

/// <summary>
/// Factors of the 8-bit elements in rows of a matrix: an element stands for itself times the scale of its block. One block may be as
/// high and as wide as the matrix: one scale a row or one for all are blocks too.
/// </summary>
public sealed class BlockScales
{
    // Scales are stored with 2^120 in them, which must stay below 2^128.
    private const float Limit = 256;

    private readonly float[] _values;
    private readonly int _rowBlock;
    private readonly int _columnBlocks;
    private readonly int _skippedRows;

    /// <param name="values">[row blocks, column blocks], finite and under 256 in magnitude.</param>
    /// <param name="rowBlock">Rows of a block.</param>
    /// <param name="columnBlock">Columns of a block.</param>
    /// <param name="columnBlocks">Blocks side by side.</param>
    /// <param name="skippedRows">Rows of the first block that come before the rows that this is for.</param>
    /// <exception cref="InvalidDataException">A scale that is not finite, or not under 256.</exception>
    public BlockScales(float[] values, int rowBlock, int columnBlock, int columnBlocks, int skippedRows = 0)
    {
        ArgumentNullException.ThrowIfNull(values);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rowBlock);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columnBlock);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columnBlocks);
        ArgumentOutOfRangeException.ThrowIfNegative(skippedRows);
        foreach (float value in values)
        {
            // Written so that NaN does not pass.
            if (!(MathF.Abs(value) < Limit))
            {
                throw new InvalidDataException($"A scale is {value:R}; a finite number under {Limit} was expected.");
            }
        }

        _values = values;
        _rowBlock = rowBlock;
        _columnBlocks = columnBlocks;
        _skippedRows = skippedRows;
        ColumnBlock = columnBlock;
    }

    /// <summary>Columns of a block.</summary>
    public int ColumnBlock { get; }

    /// <summary>The scales of the transposed matrix: in whole blocks where rows begin with one, else one for each row.</summary>
    /// <param name="rows">Rows that this is for.</param>
    public BlockScales Transpose(int rows)
    {
        int rowBlock = _skippedRows % _rowBlock == 0 ? _rowBlock : 1;
        int rowBlocks = (int)((rows + (long)rowBlock - 1) / rowBlock);
        float[] values = new float[_columnBlocks * rowBlocks];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = _values[(((i % rowBlocks * rowBlock) + _skippedRows) / _rowBlock * _columnBlocks) + (i / rowBlocks)];
        }

        return new BlockScales(values, ColumnBlock, rowBlock, rowBlocks);
    }

    /// <summary>The scale of an element; rows count from the first that this is for.</summary>
    internal float At(int row, int column) => _values[((row + _skippedRows) / _rowBlock * _columnBlocks) + (column / ColumnBlock)];

    internal bool Covers(int rows, int columns) =>
        (columns + ColumnBlock - 1L) / ColumnBlock <= _columnBlocks
        && (rows + (long)_skippedRows + _rowBlock - 1) / _rowBlock * _columnBlocks <= _values.Length;
}

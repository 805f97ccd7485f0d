using Sluice.Compute;

namespace Sluice.Weights.Quantization;

/// <summary>The scales of a tensor of 8-bit elements, in the checkpoint.</summary>
/// <param name="Tensor">[row blocks, column blocks].</param>
/// <param name="RowBlock">Rows of a block.</param>
/// <param name="ColumnBlock">Columns of a block.</param>
/// <param name="ColumnBlocks">Blocks side by side.</param>
internal sealed record ScaleTensor(CheckpointTensor Tensor, int RowBlock, int ColumnBlock, int ColumnBlocks)
{
    /// <summary>Looks up the scales of a tensor and checks that they fit it.</summary>
    /// <param name="checkpoint">The files.</param>
    /// <param name="quantization">What the configuration says.</param>
    /// <param name="tensor">The tensor of 8-bit elements, named <c>module.weight</c>.</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="columns">Its columns.</param>
    /// <exception cref="UserErrorException">They are missing, misshapen, or not said to be there.</exception>
    public static ScaleTensor Find(ICheckpoint checkpoint, QuantizationConfig? quantization, CheckpointTensor tensor, int rows, int columns)
    {
        string what = $"{tensor.File}: tensor {tensor.Name} [{rows}, {columns}] of {SafetensorsType.Float8}";
        if (quantization is not { IsStored: true })
        {
            throw new UserErrorException($"{what} needs scales, and config.json has no \"quantization_config\" that says where they are");
        }

        string module = tensor.Name[..^".weight".Length];
        string name = $"{module}.{quantization.ScaleName}";
        var shapes = new List<string>();
        long[]? found = checkpoint.ShapeOf(name);
        ScaleTensor? scales = null;
        if (quantization.Block is { } block)
        {
            int rowBlocks = (rows + block.Rows - 1) / block.Rows;
            int columnBlocks = (columns + block.Columns - 1) / block.Columns;
            shapes.Add($"[{rowBlocks}, {columnBlocks}] (blocks of {block.Rows} x {block.Columns})");
            if (found is [long foundRows, long foundColumns] && foundRows == rowBlocks && foundColumns == columnBlocks)
            {
                scales = new ScaleTensor(Look(checkpoint, name, found), block.Rows, block.Columns, columnBlocks);
            }
        }

        if (quantization.HasTensorOrRowScales)
        {
            shapes.Add("[] or [1] (one for the tensor)");
            shapes.Add($"[{rows}] or [{rows}, 1] (one a row)");
            if (scales is null && found is [] or [1] or [1, 1])
            {
                scales = new ScaleTensor(Look(checkpoint, name, found), int.MaxValue, int.MaxValue, 1);
            }
            else if (scales is null && found is [long single] && single == rows || found is [long high, 1] && high == rows)
            {
                scales ??= new ScaleTensor(Look(checkpoint, name, found), 1, int.MaxValue, 1);
            }
        }

        string expected = $"by \"quantization_config\" ({quantization.Method}) {string.Join(", ", shapes)} was expected";
        return scales ?? throw new UserErrorException(found is null
            ? $"{what} has no scales: {name} is missing; {expected}"
            : $"{what} does not fit its scales: {name} has the shape [{string.Join(", ", found)}]; {expected}");
    }

    /// <summary>Reads what some rows need.</summary>
    /// <exception cref="UserErrorException">A scale that cannot be used.</exception>
    public BlockScales Read(ICheckpoint checkpoint, int firstRow, int rowCount)
    {
        int firstBlock = firstRow / RowBlock;
        int blocks = ((firstRow + rowCount - 1) / RowBlock) - firstBlock + 1;
        int elementBytes = Tensor.Type.SizeBytes();
        byte[] bytes = new byte[blocks * ColumnBlocks * elementBytes];
        checkpoint.Read(Tensor, (long)firstBlock * ColumnBlocks * elementBytes, bytes);
        float[] values = new float[blocks * ColumnBlocks];
        FloatDecoder.Decode(bytes, Tensor.Type, values);
        try
        {
            return new BlockScales(values, RowBlock, ColumnBlock, ColumnBlocks, firstRow - (firstBlock * RowBlock));
        }
        catch (InvalidDataException e)
        {
            throw new UserErrorException($"{Tensor.File}: tensor {Tensor.Name}: {e.Message}");
        }
    }

    private static CheckpointTensor Look(ICheckpoint checkpoint, string name, long[] shape)
    {
        CheckpointTensor tensor = checkpoint.Find(name, Array.ConvertAll(shape, static size => (int)size));
        return tensor.Type != DType.Float8E4M3
            ? tensor
            : throw new UserErrorException($"{tensor.File}: tensor {name} has the dtype {SafetensorsType.Float8}; F32, BF16 or F16 was expected of scales");
    }
}

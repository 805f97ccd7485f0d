using Sluice.Compute;
using Sluice.Weights;

namespace Sluice.Models;

/// <summary>Experts of checkpoints that keep all of a layer in one tensor.</summary>
internal static class ExpertTensors
{
    /// <summary>A matrix for each expert from a tensor [experts, inFeatures, outFeatures].</summary>
    /// <param name="builder">Source of weights.</param>
    /// <param name="name">The tensor.</param>
    /// <param name="expertCount">Experts.</param>
    /// <param name="rows">Output features.</param>
    /// <param name="columns">Input features.</param>
    /// <param name="order">How the checkpoint orders the output features.</param>
    public static ExpertWeights Slabs(ModelBuilder builder, string name, int expertCount, int rows, int columns, ExpertRowOrder order)
    {
        CheckpointTensor? tensor = builder.Find(name, expertCount, columns, rows);
        var experts = new Weight[expertCount];
        for (int expert = 0; expert < expertCount; expert++)
        {
            experts[expert] = builder.Allocate(rows, columns, tensor?.Type);
            if (tensor is not null && builder.Loads)
            {
                builder.Load(new ExpertSlabTask(tensor, expert, experts[expert], order));
            }
        }

        return new ExpertWeights(experts);
    }

    /// <summary>
    /// A matrix for each expert from <c>NAME_blocks</c> and <c>NAME_scales</c>: four bits an element and a power of two for each 32.
    /// </summary>
    /// <inheritdoc cref="Slabs"/>
    public static ExpertWeights FourBits(ModelBuilder builder, string name, int expertCount, int rows, int columns, ExpertRowOrder order)
    {
        const int block = FourBitRowsTask.BlockColumns;
        if (columns % block != 0)
        {
            throw new UserErrorException($"{name}_blocks: experts of {columns} input features cannot have blocks of {block}");
        }

        CheckpointTensor? elements = builder.FindBytes(name + "_blocks", expertCount, rows, columns / block, block / 2);
        CheckpointTensor? scales = builder.FindBytes(name + "_scales", expertCount, rows, columns / block);
        int rowsAtOnce = WeightLoader.RowsAtOnce(columns / 2);
        rowsAtOnce = order.Interleaved ? Math.Max(2, rowsAtOnce & ~1) : rowsAtOnce;
        var experts = new Weight[expertCount];
        for (int expert = 0; expert < expertCount; expert++)
        {
            experts[expert] = builder.Allocate(rows, columns, DType.Float4E2M1);
            if (elements is null || scales is null || !builder.Loads)
            {
                continue;
            }

            for (int row = 0; row < rows; row += rowsAtOnce)
            {
                builder.Load(new FourBitRowsTask(elements, scales, expert, row, Math.Min(rowsAtOnce, rows - row), experts[expert], order));
            }
        }

        return new ExpertWeights(experts);
    }

    /// <summary>A bias for each expert from a tensor [experts, outFeatures]: float32.</summary>
    public static Tensor Biases(ModelBuilder builder, string name, int expertCount, int length, ExpertRowOrder order)
    {
        float[]? stored = builder.ReadFloats(name, expertCount, length);
        if (stored is null)
        {
            return builder.Table([], expertCount, length);
        }

        var values = new float[stored.Length];
        for (int i = 0; i < values.Length; i++)
        {
            int first = i / length * length;
            values[i] = stored[first + order.Source(i - first, length)];
        }

        return builder.Table(values, expertCount, length);
    }
}

using Sluice.Compute;
using Sluice.Weights.Quantization;

namespace Sluice.Weights;

/// <summary>What one thread of <see cref="WeightLoader"/> reads and stores at a time: a few megabytes of a tensor.</summary>
/// <param name="tensor">The tensor, for its place in the file and for errors.</param>
/// <param name="offsetBytes">Where in the tensor the task begins.</param>
/// <param name="sizeBytes">Bytes that it reads of it.</param>
internal abstract class WeightTask(CheckpointTensor tensor, long offsetBytes, int sizeBytes)
{
    public CheckpointTensor Tensor => tensor;

    public long OffsetBytes => offsetBytes;

    /// <summary>Bytes of the tensor, for the progress.</summary>
    public int SizeBytes => sizeBytes;

    /// <summary>Memory that the task reads into.</summary>
    public virtual int BufferBytes => sizeBytes;

    /// <param name="backend">Where weights are stored.</param>
    /// <param name="checkpoint">Where they are read from.</param>
    /// <param name="buffer"><see cref="BufferBytes"/> that the device copies from by itself.</param>
    /// <exception cref="InvalidDataException">A value that the weight cannot hold.</exception>
    public abstract void Run(IBackend backend, ICheckpoint checkpoint, Span<byte> buffer);
}

/// <summary>Rows that are stored as they are.</summary>
/// <param name="tensor">The tensor.</param>
/// <param name="row">First row of the tensor.</param>
/// <param name="rowCount">Rows.</param>
/// <param name="rowBytes">Bytes of a row.</param>
/// <param name="target">The weight.</param>
/// <param name="targetRow">Where the rows begin in it.</param>
/// <param name="scales">Scales of 8-bit elements.</param>
internal sealed class RowsTask(
    CheckpointTensor tensor, int row, int rowCount, int rowBytes, Weight target, int targetRow, ScaleTensor? scales)
    : WeightTask(tensor, (long)row * rowBytes, checked(rowCount * rowBytes))
{
    public override void Run(IBackend backend, ICheckpoint checkpoint, Span<byte> buffer)
    {
        checkpoint.Read(Tensor, OffsetBytes, buffer);
        backend.UploadRows(target, targetRow, buffer, Tensor.Type, scales?.Read(checkpoint, row, rowCount));
    }
}

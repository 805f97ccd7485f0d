using Sluice.Compute;

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
internal sealed class RowsTask(CheckpointTensor tensor, long offsetBytes, int sizeBytes, Weight target, int firstRow)
    : WeightTask(tensor, offsetBytes, sizeBytes)
{
    public override void Run(IBackend backend, ICheckpoint checkpoint, Span<byte> buffer)
    {
        checkpoint.Read(Tensor, OffsetBytes, buffer);
        backend.UploadRows(target, firstRow, buffer, Tensor.Type);
    }
}

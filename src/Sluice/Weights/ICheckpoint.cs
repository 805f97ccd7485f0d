using Sluice.Compute;

namespace Sluice.Weights;

/// <summary>Where the values of a model's weights come from.</summary>
internal interface ICheckpoint : IDisposable
{
    /// <summary>Looks a tensor up and checks it.</summary>
    /// <param name="name">The released checkpoint's name for it.</param>
    /// <param name="shape">The shape that the configuration asks for.</param>
    /// <exception cref="UserErrorException">It is missing, or of another shape, or of a type that weights cannot have.</exception>
    CheckpointTensor Find(string name, ReadOnlySpan<int> shape);

    /// <summary>Looks up a tensor of bytes that mean something only together with others; its type in the result means nothing.</summary>
    /// <inheritdoc cref="Find"/>
    CheckpointTensor FindBytes(string name, ReadOnlySpan<int> shape);

    /// <summary>The shape of a tensor, slowest first, or null when there is none of this name.</summary>
    long[]? ShapeOf(string name);

    /// <summary>Values are made up, so that their types say nothing of the released checkpoint's.</summary>
    bool IsMadeUp { get; }

    /// <summary>Reads data of a tensor, row-major and little-endian. May be called from several threads at once.</summary>
    /// <param name="tensor">From <see cref="Find"/>.</param>
    /// <param name="offsetBytes">From the beginning of the tensor; a multiple of the element size.</param>
    /// <param name="destination">Filled to the end.</param>
    void Read(CheckpointTensor tensor, long offsetBytes, Span<byte> destination);

    /// <summary>Tensors that were never looked up, in the order of their names.</summary>
    IReadOnlyList<string> UnusedTensors { get; }
}

/// <summary>A tensor of a checkpoint.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Element type.</param>
/// <param name="File">The file that holds it, for progress and errors.</param>
/// <param name="Position">Place of its first byte in the file.</param>
/// <param name="SizeBytes">Size of its data.</param>
internal sealed record CheckpointTensor(string Name, DType Type, string File, long Position, long SizeBytes);

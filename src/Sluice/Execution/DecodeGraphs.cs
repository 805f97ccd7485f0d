using Sluice.Compute;

namespace Sluice.Execution;

/// <summary>
/// A captured forward pass, logits included, for each of some numbers of decoding sequences. A step is padded to the next size. Made
/// in the warm-up, launched by the rank thread.
/// </summary>
internal sealed class DecodeGraphs : IDisposable
{
    private readonly List<(int Size, Tensor Hidden, DeviceGraph Graph)> _graphs = []; // by rising size

    public int Count => _graphs.Count;

    /// <summary>Sequences of the largest graph; 0 when there is none.</summary>
    public int LargestSize => _graphs.Count == 0 ? 0 : _graphs[^1].Size;

    /// <summary>Captures one more graph; sizes come in falling order.</summary>
    /// <param name="size">Sequences of the step.</param>
    /// <param name="hidden">Where it leaves the hidden states.</param>
    /// <param name="graph">Owned from now on.</param>
    public void Add(int size, Tensor hidden, DeviceGraph graph) => _graphs.Insert(0, (size, hidden, graph));

    /// <summary>The smallest size that holds so many sequences; 0 when there is none.</summary>
    public int SizeFor(int sequenceCount) => Find(sequenceCount) is int index and >= 0 ? _graphs[index].Size : 0;

    /// <summary>Enqueues the graph of a size.</summary>
    /// <returns>Hidden states before the final norm: [size, hiddenSize].</returns>
    public Tensor Launch(int size)
    {
        (_, Tensor hidden, DeviceGraph graph) = _graphs[Find(size)];
        graph.Launch();
        return hidden;
    }

    public void Dispose()
    {
        foreach ((_, _, DeviceGraph graph) in _graphs)
        {
            graph.Dispose();
        }

        _graphs.Clear();
    }

    private int Find(int sequenceCount)
    {
        for (int i = 0; i < _graphs.Count; i++)
        {
            if (_graphs[i].Size >= sequenceCount)
            {
                return i;
            }
        }

        return -1;
    }
}

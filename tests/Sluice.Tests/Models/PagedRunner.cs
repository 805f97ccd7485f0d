using Sluice.Compute;
using Sluice.Execution;
using Sluice.Models;

namespace Sluice.Tests.Models;

/// <summary>
/// The least that runs a model over a paged cache: sequences with blocks in a shuffled order, and batches of any mix. Returns the
/// logits of every row.
/// </summary>
internal sealed class PagedRunner
{
    private const int BlockSize = 16;

    private readonly IBackend _backend;
    private readonly ICausalLm _model;
    private readonly KvLayer[] _layers;
    private readonly Stack<int> _freeBlocks;

    public PagedRunner(IBackend backend, ICausalLm model, int blockCount)
    {
        _backend = backend;
        _model = model;
        ModelConfig config = model.Config;
        KvCacheShape cache = config.KvCache;
        _layers = new KvLayer[config.LayerCount];
        for (int layer = 0; layer < _layers.Length; layer++)
        {
            _layers[layer] = backend.AllocateKvLayer(
                blockCount, BlockSize, cache.Heads, cache.KeyDim, cache.ValueDim, backend.ActivationType, cache.ValuesInKeys);
        }

        int[] blocks = [.. Enumerable.Range(0, blockCount)];
        new Random(7).Shuffle(blocks);
        _freeBlocks = new Stack<int>(blocks);
    }

    public sealed class Sequence
    {
        public List<int> Blocks { get; } = [];

        public int Length { get; set; }
    }

    /// <summary>One forward pass. Returns the logits of each part's rows, [rows, vocabulary].</summary>
    public float[][] Step(params (Sequence Sequence, int[] Tokens)[] parts)
    {
        int tokenCount = parts.Sum(part => part.Tokens.Length);
        var starts = new List<int> { 0 };
        var contexts = new List<int>();
        var positions = new List<int>();
        var slots = new List<int>();
        var tokens = new List<int>();
        foreach ((Sequence sequence, int[] partTokens) in parts)
        {
            foreach (int token in partTokens)
            {
                if (sequence.Length == sequence.Blocks.Count * BlockSize)
                {
                    sequence.Blocks.Add(_freeBlocks.Pop());
                }

                tokens.Add(token);
                positions.Add(sequence.Length);
                slots.Add((sequence.Blocks[sequence.Length / BlockSize] * BlockSize) + (sequence.Length % BlockSize));
                sequence.Length++;
            }

            starts.Add(tokens.Count);
            contexts.Add(sequence.Length);
        }

        int longest = parts.Max(part => part.Sequence.Blocks.Count);
        int[] tables = new int[parts.Length * longest];
        for (int i = 0; i < parts.Length; i++)
        {
            parts[i].Sequence.Blocks.CopyTo(tables, i * longest);
        }

        var plan = new AttentionPlan(
            Vector(starts),
            Vector(contexts),
            Upload(parts.Length, longest, tables),
            Vector(positions),
            Vector(slots),
            parts.Length,
            tokenCount,
            parts.Max(part => part.Tokens.Length),
            contexts.Max());
        Tensor hidden = _model.Forward(new BatchInputs(Vector(tokens), plan, _layers));
        return Logits(hidden, parts);
    }

    private float[][] Logits(Tensor hidden, (Sequence Sequence, int[] Tokens)[] parts)
    {
        int vocabulary = _model.Config.VocabularySize;
        Tensor logits = _backend.Allocate(hidden.Rows, vocabulary, DType.Float32);
        _model.ComputeLogits(hidden, logits);
        float[] all = new float[hidden.Rows * vocabulary];
        _backend.Download<float>(logits, all);
        _backend.Free(logits);
        var results = new float[parts.Length][];
        int row = 0;
        for (int i = 0; i < parts.Length; i++)
        {
            results[i] = all[(row * vocabulary)..((row + parts[i].Tokens.Length) * vocabulary)];
            row += parts[i].Tokens.Length;
        }

        return results;
    }

    private Tensor Vector(List<int> values) => Upload(1, values.Count, [.. values]);

    // Freed with the backend: a test makes a few hundred of these at most.
    private Tensor Upload(int rows, int columns, int[] values)
    {
        Tensor tensor = _backend.Allocate(rows, columns, DType.Int32);
        _backend.Upload<int>(tensor, values);
        return tensor;
    }
}

namespace Sluice.Compute.Ops.Sampling;

/// <summary>
/// Working memory of one row of a sampling operation, laid out over a buffer of its thread: what is known of each block of logits, and
/// the tokens that are still candidates, in the order of their ids.
/// </summary>
internal readonly unsafe ref struct RowScratch
{
    /// <summary>
    /// Logits a block: small enough that the k-th largest of the block maxima is a close lower bound of the k-th largest
    /// logit, large enough that walking the maxima costs little.
    /// </summary>
    public const int BlockSize = 64;

    private readonly void* _buffer;
    private readonly int _vocabulary;
    private readonly int _blocks;

    public RowScratch(void* buffer, int vocabulary)
    {
        _buffer = buffer;
        _vocabulary = vocabulary;
        _blocks = BlockCount(vocabulary);
    }

    /// <summary>Sum of the weights of each block.</summary>
    public Span<double> BlockSums => new(_buffer, _blocks);

    /// <summary>Order-preserving images of the candidates' logits.</summary>
    public Span<uint> Keys => new((double*)_buffer + _blocks, _vocabulary);

    public Span<int> Ids => new((uint*)((double*)_buffer + _blocks) + _vocabulary, _vocabulary);

    /// <summary>Weights of the candidates.</summary>
    public Span<float> Weights => new((double*)_buffer + _blocks + _vocabulary, _vocabulary);

    /// <summary>Candidates to be sorted; another use of the memory of <see cref="Weights"/>.</summary>
    public Span<ulong> Pairs => new((double*)_buffer + _blocks + _vocabulary, _vocabulary);

    /// <summary>Largest logit of each block.</summary>
    public Span<float> BlockMaxima => new((double*)_buffer + _blocks + (2L * _vocabulary), _blocks);

    public static int BlockCount(int vocabulary) => (vocabulary + BlockSize - 1) / BlockSize;

    public static long SizeBytes(int vocabulary) => ((12L * BlockCount(vocabulary)) + (16L * vocabulary) + 63) & ~63L;
}

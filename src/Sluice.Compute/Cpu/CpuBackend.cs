using Sluice.Compute.Ops.Activations;
using Sluice.Compute.Ops.Attention;
using Sluice.Compute.Ops.Elementwise;
using Sluice.Compute.Ops.Embedding;
using Sluice.Compute.Ops.Linear;
using Sluice.Compute.Ops.Moe;
using Sluice.Compute.Ops.Norm;
using Sluice.Compute.Ops.Sampling;

namespace Sluice.Compute.Cpu;

/// <summary>
/// The processor as a device: activations are float32, weights stay in their stored type and are widened in registers.
/// Operations run at once, on the calling thread and the worker threads of this backend; an operation has finished when it
/// returns. Vectors are as wide as the processor has them (AVX-512, AVX2 or 128 bits) with the same bits as a result.
/// </summary>
public sealed unsafe class CpuBackend : IBackend
{
    private readonly CpuMemory _memory = new();
    private readonly ScratchMemory _scratch;
    private readonly WorkerPool _pool;
    private readonly CpuContext _context;
    private bool _disposed;

    /// <summary>Starts the worker threads.</summary>
    /// <param name="threads">Threads in all, the caller's included; by default one for each processor that this process may use.</param>
    public CpuBackend(int? threads = null)
    {
        int count = threads ?? Environment.ProcessorCount;
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1, nameof(threads));
        _scratch = new ScratchMemory(count);
        _pool = new WorkerPool(count);
        _context = new CpuContext(_pool, _scratch);
    }

    /// <inheritdoc/>
    public string Name => "cpu";

    /// <inheritdoc/>
    public DType ActivationType => DType.Float32;

    /// <inheritdoc/>
    public int DefaultBlockSize => 16;

    /// <inheritdoc/>
    public (long TotalBytes, long AvailableBytes) Memory => SystemMemory.Read();

    /// <summary>Threads that operations use, the caller's included.</summary>
    public int Threads => _pool.Threads;

    /// <summary>What the operations that live in other files run on.</summary>
    internal CpuContext Context => _context;

    /// <inheritdoc/>
    public Tensor Allocate(int rows, int columns, DType type)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        nint address = _memory.Allocate((long)rows * columns * type.SizeBytes(), $"a tensor of {rows} x {columns} {type.Name()}");
        return new Tensor(address, type, rows, columns);
    }

    /// <inheritdoc/>
    public void Free(Tensor tensor) => _memory.Free(tensor.Address);

    /// <inheritdoc/>
    public Weight AllocateWeight(int rows, int columns, DType type)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        RequireWeightType(type);
        if (type == DType.Float4E2M1 && columns % Float4Panel.GroupColumns != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(columns), columns, $"Columns of four-bit elements come in groups of {Float4Panel.GroupColumns}.");
        }

        long sizeBytes = PackedWeight.SizeBytes(rows, columns, type);
        nint address = _memory.Allocate(sizeBytes, $"a weight of {rows} x {columns} {type.Name()}");
        return new Weight(rows, columns, type, address, sizeBytes);
    }

    /// <inheritdoc/>
    public void UploadRows(Weight weight, int firstRow, ReadOnlySpan<byte> source, DType sourceType, BlockScales? scales = null)
    {
        ArgumentNullException.ThrowIfNull(weight);
        RequireWeightType(sourceType);
        PackedWeight.StoreRows(weight, firstRow, source, sourceType, scales);
    }

    /// <inheritdoc/>
    public KvLayer AllocateKvLayer(
        int blockCount, int blockSize, int heads, int keyDim, int valueDim, DType type, bool valuesInKeys = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(blockCount);
        RequireFloat(type);
        if (blockSize is not (1 or 2 or 4 or 8) && (blockSize <= 0 || blockSize % 16 != 0))
        {
            throw new ArgumentOutOfRangeException(nameof(blockSize), blockSize, "A block has 1, 2, 4, 8 or a multiple of 16 tokens.");
        }

        if (valuesInKeys && (valueDim > keyDim || valueDim % PackedWeight.PanelRows != 0))
        {
            throw new ArgumentOutOfRangeException(
                nameof(valueDim), valueDim, $"Values inside of keys have a multiple of {PackedWeight.PanelRows} elements, at most a key's.");
        }

        KvLayout layout = new(blockSize, heads, keyDim, valueDim, type, valuesInKeys);
        nint keys = _memory.Allocate(blockCount * layout.KeyBlockBytes, $"the keys of {blockCount} cache blocks");
        nint values = valuesInKeys ? 0 : _memory.Allocate(blockCount * layout.ValueBlockBytes, $"the values of {blockCount} cache blocks");
        return new KvLayer(keys, values, type, blockCount, blockSize, heads, keyDim, valueDim)
        {
            ValuesInKeys = valuesInKeys,
            KeyBlockBytes = layout.KeyBlockBytes,
            ValueBlockBytes = layout.ValueBlockBytes,
        };
    }

    /// <inheritdoc/>
    public void Upload<T>(Tensor destination, ReadOnlySpan<T> source)
        where T : unmanaged
        => source.CopyTo(HostSpan<T>(destination));

    /// <inheritdoc/>
    public void Download<T>(Tensor source, Span<T> destination)
        where T : unmanaged
        => HostSpan<T>(source).CopyTo(destination);

    /// <inheritdoc/>
    public HostBuffer AllocateHost(long sizeBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sizeBytes);
        return new CpuHostBuffer(sizeBytes);
    }

    /// <inheritdoc/>
    public void UploadAsync(Tensor destination, HostBuffer source, long offsetBytes)
    {
        ArgumentNullException.ThrowIfNull(source);
        int rowBytes = destination.Columns * destination.Type.SizeBytes();
        ReadOnlySpan<byte> bytes = source.Span<byte>(offsetBytes, checked(destination.Rows * rowBytes));
        for (int row = 0; row < destination.Rows; row++)
        {
            bytes.Slice(row * rowBytes, rowBytes).CopyTo(new Span<byte>((void*)destination.SliceRows(row, 1).Address, rowBytes));
        }
    }

    /// <inheritdoc/>
    public void DownloadAsync(Tensor source, HostBuffer destination, long offsetBytes)
    {
        ArgumentNullException.ThrowIfNull(destination);
        if (!source.IsContiguous)
        {
            throw new ArgumentException("Rows of the tensor do not follow each other.", nameof(source));
        }

        int sizeBytes = checked(source.Rows * source.Columns * source.Type.SizeBytes());
        new ReadOnlySpan<byte>((void*)source.Address, sizeBytes).CopyTo(destination.Span<byte>(offsetBytes, sizeBytes));
    }

    /// <inheritdoc/>
    public Fence CreateFence() => new CpuFence();

    /// <inheritdoc/>
    public bool SupportsGraphs => false;

    /// <inheritdoc/>
    public DeviceGraph Capture(Action operations)
        => throw new NotSupportedException("The processor runs operations at once and records none: ask SupportsGraphs first.");

    /// <inheritdoc/>
    public void Prepare(Action operations)
    {
        // The code of the processor's operations was compiled with the program.
    }

    /// <inheritdoc/>
    public void Synchronize()
    {
        // Operations have finished when they return.
    }

    /// <inheritdoc/>
    public void ResolveTokenIds(Tensor tokenIds, Tensor lastSampled) => EmbeddingSimd.ResolveTokenIds(tokenIds, lastSampled);

    /// <inheritdoc/>
    public void Embedding(Tensor output, Weight table, Tensor tokenIds, float scale)
    {
        ArgumentNullException.ThrowIfNull(table);
        EmbeddingSimd.Run(_context, output, table, tokenIds, scale);
    }

    /// <inheritdoc/>
    public void RmsNorm(Tensor output, Tensor input, Tensor gain, float epsilon, float gainOffset)
        => RmsNormSimd.Run(_context, output, input, gain, epsilon, gainOffset);

    /// <inheritdoc/>
    public void AddRmsNorm(Tensor output, Tensor residual, Tensor input, Tensor gain, float epsilon, float gainOffset)
        => RmsNormSimd.RunAdd(_context, output, residual, input, gain, epsilon, gainOffset);

    /// <inheritdoc/>
    public void Add(Tensor accumulator, Tensor input) => AddSimd.Run(_context, accumulator, input);

    /// <inheritdoc/>
    public void Linear(Tensor output, Tensor input, Weight weight, Tensor? bias)
    {
        ArgumentNullException.ThrowIfNull(weight);
        LinearSimd.Run(_context, output, input, weight, bias);
    }

    /// <inheritdoc/>
    public void BlockDiagonalLinear(Tensor output, Tensor input, Weight weight, int groups)
    {
        ArgumentNullException.ThrowIfNull(weight);
        BlockDiagonalLinearSimd.Run(_context, output, input, weight, groups);
    }

    /// <inheritdoc/>
    public void RotateAndWriteKv(
        Tensor queries, Tensor keys, Tensor values, Tensor positions, RotaryTable table, KvLayer layer, Tensor slots, HeadNorms? norms = null)
        => RotateAndWriteKvSimd.Run(_context, queries, keys, values, positions, table, layer, slots, norms);

    /// <inheritdoc/>
    public void CopyBlocks(KvLayer shape, Tensor layers, Tensor copies, bool toHost)
        => CopyBlocksSimd.Run(_context, shape, layers, copies, toHost);

    /// <inheritdoc/>
    public void PagedAttention(Tensor output, Tensor queries, KvLayer layer, AttentionPlan plan, AttentionShape shape)
        => PagedAttentionSimd.Run(_context, output, queries, layer, plan, shape);

    /// <inheritdoc/>
    public void GatedActivation(Tensor output, Tensor gateUp, Activation activation)
        => GatedActivationSimd.Run(_context, output, gateUp, activation);

    /// <inheritdoc/>
    public void Route(Tensor experts, Tensor weights, Tensor logits, Tensor? correction, Routing routing)
    {
        ArgumentNullException.ThrowIfNull(routing);
        RouteSimd.Run(_context, experts, weights, logits, correction, routing);
    }

    /// <inheritdoc/>
    public void ExpertLinear(Tensor output, Tensor input, ExpertWeights weights, Tensor? bias, Tensor experts)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ExpertLinearSimd.Run(_context, output, input, weights, bias, experts);
    }

    /// <inheritdoc/>
    public void WeightedSum(Tensor output, Tensor input, Tensor weights, bool accumulate)
        => WeightedSumSimd.Run(_context, output, input, weights, accumulate);

    /// <inheritdoc/>
    public void GatherRows(Tensor output, Tensor input, Tensor rows) => EmbeddingSimd.GatherRows(output, input, rows);

    /// <inheritdoc/>
    public void SoftCap(Tensor values, float cap) => SoftCapSimd.Run(_context, values, cap);

    /// <inheritdoc/>
    public void AdjustLogits(Tensor logits, Tensor rows, Tensor masks, Tensor edits, Tensor counts)
        => SamplingJobs.AdjustLogits(_context, logits, rows, masks, edits, counts);

    /// <inheritdoc/>
    public void SampleTokens(Tensor tokenIds, Tensor logits, Tensor rows, Tensor lastSampled, Tensor counts)
        => SamplingJobs.SampleTokens(_context, tokenIds, logits, rows, lastSampled, counts);

    /// <inheritdoc/>
    public void TopLogprobs(Tensor ids, Tensor logprobs, Tensor ranks, Tensor logits, Tensor tokenIds)
        => SamplingJobs.TopLogprobs(_context, ids, logprobs, ranks, logits, tokenIds);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _pool.Dispose();
            _scratch.Dispose();
            _memory.Dispose();
        }
    }

    private static Span<T> HostSpan<T>(Tensor tensor)
        where T : unmanaged
    {
        if (!tensor.IsContiguous)
        {
            throw new ArgumentException("Rows of the tensor do not follow each other.", nameof(tensor));
        }

        if (sizeof(T) != tensor.Type.SizeBytes())
        {
            throw new ArgumentException($"Elements of {sizeof(T)} bytes do not fit a tensor of {tensor.Type.Name()}.", nameof(tensor));
        }

        return new Span<T>((void*)tensor.Address, checked(tensor.Rows * tensor.Columns));
    }

    private static void RequireWeightType(DType type)
    {
        if (type == DType.Int32)
        {
            throw new ArgumentOutOfRangeException(nameof(type), type, "Not a floating-point type.");
        }
    }

    private static void RequireFloat(DType type)
    {
        RequireWeightType(type);
        if (type is DType.Float8E4M3 or DType.Float4E2M1)
        {
            throw new NotSupportedException($"The cpu device has {type.Name()} in weights only; use float32, float16 or bfloat16.");
        }
    }
}

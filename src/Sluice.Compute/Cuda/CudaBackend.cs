using System.Runtime.InteropServices;
using Sluice.Compute.Cuda.Interop;
using Sluice.Compute.Ops.Activations;
using Sluice.Compute.Ops.Attention;
using Sluice.Compute.Ops.Elementwise;
using Sluice.Compute.Ops.Embedding;
using Sluice.Compute.Ops.Linear;
using Sluice.Compute.Ops.Norm;
using Sluice.Compute.Ops.Sampling;

namespace Sluice.Compute.Cuda;

/// <summary>
/// An NVIDIA GPU as a device: activations and weights are bfloat16 or float16, sums are float32. All operations run in one stream, in
/// the order in which they are enqueued; none of them waits. Memory is taken by allocations and by the first call of an operation, and
/// never after that.
/// </summary>
public sealed unsafe class CudaBackend : IBackend
{
    private static readonly Lazy<KernelBuilder> SharedBuilder = new(() => new KernelBuilder(new KernelCache(CudaEnvironment.KernelCacheFolder(CudaEnvironment.Variable))));

    private readonly CudaDevice _device;
    private readonly CudaContext _context;
    private readonly UploadRing _uploads;
    private readonly PinnedRanges _pinned = new();
    private readonly WeightUploader _weights;
    private bool _disposed;

    /// <summary>Opens a GPU.</summary>
    /// <param name="ordinal">Its number among those that the process may see.</param>
    /// <param name="activationType">Type of activations and weights: bfloat16 or float16.</param>
    /// <param name="batchInvariant">
    /// Results of a row do not depend on the other rows by a single bit, at the cost of speed where few rows are computed.
    /// </param>
    /// <exception cref="CudaUnavailableException">The driver, a library or the GPU is missing or too old; says what to do.</exception>
    /// <exception cref="InsufficientMemoryException">Other programs have taken the GPU's memory.</exception>
    public CudaBackend(int ordinal = 0, DType activationType = DType.BFloat16, bool batchInvariant = false)
        : this(ordinal, activationType, batchInvariant, SharedBuilder.Value)
    {
    }

    internal CudaBackend(int ordinal, DType activationType, bool batchInvariant, KernelBuilder builder)
    {
        if (activationType is not (DType.BFloat16 or DType.Float16))
        {
            throw new ArgumentOutOfRangeException(nameof(activationType), activationType, "A GPU computes in bfloat16 or float16.");
        }

        // What is missing is said now and not after minutes of loading weights.
        _device = new CudaDevice(ordinal);
        try
        {
            _ = CublasLt.Api;
            _ = builder.CompilerVersion;
            _context = new CudaContext(_device, builder, activationType, batchInvariant);
            _uploads = new UploadRing(_device, _context.Stream);
            _weights = new WeightUploader(_device, _pinned);
        }
        catch
        {
            _context?.Dispose();
            _device.Dispose();
            throw;
        }
    }

    /// <summary>The kernels of this process, which all of its devices share: what was compiled and what the cache had.</summary>
    internal static KernelBuilder Builder => SharedBuilder.Value;

    /// <inheritdoc/>
    public string Name => "cuda";

    /// <inheritdoc/>
    public DType ActivationType => _context.ActivationType;

    /// <inheritdoc/>
    public int DefaultBlockSize => 16;

    /// <inheritdoc/>
    public (long TotalBytes, long AvailableBytes) Memory => _device.ReadMemory();

    /// <summary>What the operations that live in other files run on.</summary>
    internal CudaContext Context => _context;

    /// <inheritdoc/>
    public Tensor Allocate(int rows, int columns, DType type)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        nint address = AllocateZeroed(
            (long)rows * columns * type.SizeBytes(), MemoryKind.Tensors, $"a tensor of {rows} x {columns} {type.Name()}");
        return new Tensor(address, type, rows, columns);
    }

    /// <inheritdoc/>
    public void Free(Tensor tensor)
    {
        _context.RequireNoCapture("Freeing a tensor");
        _context.Biases.Forget(tensor.Address);
        _context.Memory.Free(tensor.Address);
    }

    /// <inheritdoc/>
    public Weight AllocateWeight(int rows, int columns, DType type)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        RequireFloat(type);
        long sizeBytes = (long)rows * columns * ActivationType.SizeBytes();
        nint address = _context.Memory.Allocate(sizeBytes, MemoryKind.Weights, $"a weight of {rows} x {columns} {ActivationType.Name()}");
        return new Weight(rows, columns, ActivationType, address, sizeBytes);
    }

    /// <inheritdoc/>
    public void UploadRows(Weight weight, int firstRow, ReadOnlySpan<byte> source, DType sourceType, BlockScales? scales = null)
    {
        ArgumentNullException.ThrowIfNull(weight);
        RequireFloat(sourceType);
        if (scales is not null)
        {
            throw new NotSupportedException("The cuda device has no weights with scales; use the cpu device.");
        }

        _weights.Store(weight, firstRow, source, sourceType);
    }

    /// <inheritdoc/>
    public KvLayer AllocateKvLayer(
        int blockCount, int blockSize, int heads, int keyDim, int valueDim, DType type, bool valuesInKeys = false)
    {
        if (valuesInKeys)
        {
            throw new NotSupportedException("A cache whose values are inside of its keys is not supported on a GPU.");
        }

        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(blockCount);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(heads);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(keyDim);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(valueDim);
        if (blockSize <= 0 || blockSize % 16 != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(blockSize), blockSize, "A block has a multiple of 16 tokens on a GPU.");
        }

        if (type != ActivationType && type != DType.Float8E4M3)
        {
            throw new NotSupportedException($"The key-value cache of a GPU is {ActivationType.Name()}, as activations are, or {DType.Float8E4M3.Name()}; not {type.Name()}.");
        }

        long rows = (long)blockCount * blockSize * heads * type.SizeBytes();
        nint keys = AllocateZeroed(rows * keyDim, MemoryKind.KvCache, $"the keys of {blockCount} cache blocks");
        nint values = AllocateZeroed(rows * valueDim, MemoryKind.KvCache, $"the values of {blockCount} cache blocks");
        return new KvLayer(keys, values, type, blockCount, blockSize, heads, keyDim, valueDim);
    }

    /// <inheritdoc/>
    public void Upload<T>(Tensor destination, ReadOnlySpan<T> source)
        where T : unmanaged
    {
        RequireFits(destination, sizeof(T), source.Length);
        PrepareChange(destination);
        _uploads.Upload(destination.Address, MemoryMarshal.AsBytes(source));
    }

    /// <inheritdoc/>
    public void Download<T>(Tensor source, Span<T> destination)
        where T : unmanaged
    {
        RequireFits(source, sizeof(T), destination.Length, isSource: true);
        _context.RequireNoCapture("A download");
        _device.MakeCurrent();
        fixed (T* pointer = destination)
        {
            _context.Stream.CopyToHost((nint)pointer, source.Address, (long)source.Rows * source.Columns * sizeof(T));
            _context.Stream.Synchronize();
        }
    }

    /// <inheritdoc/>
    public HostBuffer AllocateHost(long sizeBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sizeBytes);
        return new PinnedMemory(_device, sizeBytes, "a buffer of the device", _pinned);
    }

    /// <inheritdoc/>
    public void UploadAsync(Tensor destination, HostBuffer source, long offsetBytes)
    {
        ArgumentNullException.ThrowIfNull(source);
        PrepareChange(destination);
        int rowBytes = destination.Columns * destination.Type.SizeBytes();
        nint from = AddressIn(source, offsetBytes, (long)destination.Rows * rowBytes);
        if (destination.IsContiguous)
        {
            _context.Stream.CopyToDevice(destination.Address, from, (long)destination.Rows * rowBytes);
        }
        else
        {
            _context.Stream.CopyRowsToDevice(
                destination.Address, (long)destination.RowStride * destination.Type.SizeBytes(), from, rowBytes, destination.Rows);
        }
    }

    /// <inheritdoc/>
    public void DownloadAsync(Tensor source, HostBuffer destination, long offsetBytes)
    {
        ArgumentNullException.ThrowIfNull(destination);
        RequireContiguous(source);
        _context.RequireNoCapture("A download");
        _device.MakeCurrent();
        long sizeBytes = (long)source.Rows * source.Columns * source.Type.SizeBytes();
        _context.Stream.CopyToHost(AddressIn(destination, offsetBytes, sizeBytes), source.Address, sizeBytes);
    }

    /// <inheritdoc/>
    public Fence CreateFence() => new CudaEvent(_device, _context.Stream);

    /// <inheritdoc/>
    public bool SupportsGraphs => true;

    /// <inheritdoc/>
    public DeviceGraph Capture(Action operations)
    {
        ArgumentNullException.ThrowIfNull(operations);
        _context.RequireNoCapture("A capture");
        return CudaGraph.Capture(_context, operations);
    }

    /// <inheritdoc/>
    public void Prepare(Action operations)
    {
        ArgumentNullException.ThrowIfNull(operations);
        _context.RequireNoCapture("Preparing operations");
        bool wasCollecting = _context.Kernels.IsCollecting;
        _context.Kernels.IsCollecting = true;
        try
        {
            operations();
        }
        finally
        {
            _context.Kernels.IsCollecting = wasCollecting;
        }
    }

    /// <inheritdoc/>
    public void Synchronize()
    {
        _context.RequireNoCapture("Waiting");
        _context.Stream.Synchronize();
    }

    /// <inheritdoc/>
    public void ResolveTokenIds(Tensor tokenIds, Tensor lastSampled) => EmbeddingCuda.ResolveTokenIds(_context, tokenIds, lastSampled);

    /// <inheritdoc/>
    public void Embedding(Tensor output, Weight table, Tensor tokenIds, float scale)
    {
        ArgumentNullException.ThrowIfNull(table);
        EmbeddingCuda.Run(_context, output, table, tokenIds, scale);
    }

    /// <inheritdoc/>
    public void RmsNorm(Tensor output, Tensor input, Tensor gain, float epsilon, float gainOffset)
        => RmsNormCuda.Run(_context, output, input, gain, epsilon, gainOffset);

    /// <inheritdoc/>
    public void AddRmsNorm(Tensor output, Tensor residual, Tensor input, Tensor gain, float epsilon, float gainOffset)
        => RmsNormCuda.RunAdd(_context, output, residual, input, gain, epsilon, gainOffset);

    /// <inheritdoc/>
    public void Add(Tensor accumulator, Tensor input) => AddCuda.Run(_context, accumulator, input);

    /// <inheritdoc/>
    public void Linear(Tensor output, Tensor input, Weight weight, Tensor? bias)
    {
        ArgumentNullException.ThrowIfNull(weight);
        LinearCuda.Run(_context, output, input, weight, bias);
    }

    /// <inheritdoc/>
    public void BlockDiagonalLinear(Tensor output, Tensor input, Weight weight, int groups) =>
        throw new NotSupportedException("A block-diagonal linear layer is not supported on a GPU.");

    /// <inheritdoc/>
    public void RotateAndWriteKv(
        Tensor queries, Tensor keys, Tensor values, Tensor positions, RotaryTable table, KvLayer layer, Tensor slots, HeadNorms? norms = null)
        => RotateAndWriteKvCuda.Run(_context, queries, keys, values, positions, table, layer, slots, norms);

    /// <inheritdoc/>
    public void CopyBlocks(KvLayer shape, Tensor layers, Tensor copies, bool toHost) =>
        CopyBlocksCuda.Run(_context, shape, layers, copies, toHost);

    /// <inheritdoc/>
    public void PagedAttention(Tensor output, Tensor queries, KvLayer layer, AttentionPlan plan, AttentionShape shape)
        => PagedAttentionCuda.Run(_context, output, queries, layer, plan, shape);

    /// <inheritdoc/>
    public void GatedActivation(Tensor output, Tensor gateUp, Activation activation)
        => GatedActivationCuda.Run(_context, output, gateUp, activation);

    /// <inheritdoc/>
    public void Route(Tensor experts, Tensor weights, Tensor logits, Tensor? correction, Routing routing)
        => throw NoExperts();

    /// <inheritdoc/>
    public void ExpertLinear(Tensor output, Tensor input, ExpertWeights weights, Tensor? bias, Tensor experts)
        => throw NoExperts();

    /// <inheritdoc/>
    public void WeightedSum(Tensor output, Tensor input, Tensor weights, bool accumulate)
        => throw NoExperts();

    /// <inheritdoc/>
    public void GatherRows(Tensor output, Tensor input, Tensor rows) => EmbeddingCuda.GatherRows(_context, output, input, rows);

    /// <inheritdoc/>
    public void SoftCap(Tensor values, float cap) => SoftCapCuda.Run(_context, values, cap);

    /// <inheritdoc/>
    public void AdjustLogits(Tensor logits, Tensor rows, Tensor masks, Tensor edits, Tensor counts) =>
        AdjustLogitsCuda.Run(_context, logits, rows, masks, edits, counts);

    /// <inheritdoc/>
    public void SampleTokens(Tensor tokenIds, Tensor logits, Tensor rows, Tensor lastSampled, Tensor counts) =>
        SampleTokensCuda.Run(_context, tokenIds, logits, rows, lastSampled, counts);

    /// <inheritdoc/>
    public void TopLogprobs(Tensor ids, Tensor logprobs, Tensor ranks, Tensor logits, Tensor tokenIds) =>
        TopLogprobsCuda.Run(_context, ids, logprobs, ranks, logits, tokenIds);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _weights.Dispose();
            _uploads.Dispose();
            _context.Dispose();
            _device.Dispose();
        }
    }

    private nint AllocateZeroed(long sizeBytes, MemoryKind kind, string purpose)
    {
        _context.RequireNoCapture("Allocating");
        nint address = _context.Memory.Allocate(sizeBytes, kind, purpose);
        _context.Stream.Clear(address, sizeBytes);
        return address;
    }

    private void PrepareChange(Tensor destination)
    {
        _context.RequireNoCapture("An upload");
        _context.Biases.Forget(destination.Address);
        _device.MakeCurrent();
    }

    private static nint AddressIn(HostBuffer buffer, long offsetBytes, long sizeBytes)
    {
        ObjectDisposedException.ThrowIf(buffer.Address == 0, buffer);
        ArgumentOutOfRangeException.ThrowIfNegative(offsetBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offsetBytes + sizeBytes, buffer.SizeBytes, nameof(offsetBytes));
        return buffer.Address + (nint)offsetBytes;
    }

    private static void RequireFits(Tensor tensor, int elementBytes, int elementCount, bool isSource = false)
    {
        RequireContiguous(tensor);
        long expected = (long)tensor.Rows * tensor.Columns;
        if (elementBytes != tensor.Type.SizeBytes())
        {
            throw new ArgumentException($"Elements of {elementBytes} bytes do not fit a tensor of {tensor.Type.Name()}.", nameof(tensor));
        }

        if (isSource ? elementCount < expected : elementCount > expected)
        {
            throw new ArgumentException($"{elementCount} elements do not fit a tensor of {tensor.Rows} x {tensor.Columns}.", nameof(tensor));
        }
    }

    private static void RequireContiguous(Tensor tensor)
    {
        if (!tensor.IsContiguous)
        {
            throw new ArgumentException("Rows of the tensor do not follow each other.", nameof(tensor));
        }
    }

    private static NotSupportedException NoExperts() => new("CUDA has no kernels for mixtures of experts; use the cpu device.");

    private static void RequireFloat(DType type)
    {
        if (type is not (DType.Float32 or DType.Float16 or DType.BFloat16))
        {
            throw new ArgumentOutOfRangeException(nameof(type), type, "Not a type of weights.");
        }
    }
}

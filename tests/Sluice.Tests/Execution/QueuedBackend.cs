using System.Collections.Concurrent;
using Sluice.Compute;
using Sluice.Compute.Cpu;

namespace Sluice.Tests.Execution;

/// <summary>
/// A device that works by itself, as a GPU does: operations are queued and computed by a thread of its own on the processor, later
/// than the caller goes on. Copies from and to host buffers read and write when their turn comes, so a buffer that is used again too
/// early, or read too early, changes answers. Operations can be captured. Faults are as on a GPU: they show at the next wait.
/// </summary>
internal sealed class QueuedBackend : IBackend
{
    private readonly CpuBackend _processor = new(1);
    private readonly BlockingCollection<Action> _queue = [];
    private readonly Thread _device;
    private List<Action>? _captured;
    private int _owner;
    private volatile Exception? _fault;

    public QueuedBackend()
    {
        _device = new Thread(Work) { IsBackground = true, Name = "test device" };
        _device.Start();
    }

    /// <summary>Run by the device before each fence: may wait or throw.</summary>
    public Action? BeforeFence { get; set; }

    /// <summary>Run by the caller of <see cref="SampleTokens"/>, in the middle of a launch: may throw.</summary>
    public Action? BeforeSampling { get; set; }

    /// <summary>What the device does before it reads a host buffer.</summary>
    public Action? BeforeUpload { get; set; }

    /// <summary>A fault stays, as on a GPU whose context is lost; otherwise the next wait is told once.</summary>
    public bool FaultsStay { get; set; }

    public int CaptureCount { get; private set; }

    public int GraphLaunchCount { get; private set; }

    /// <summary>Waits for the device other than by fences.</summary>
    public int SynchronizeCount { get; private set; }

    /// <summary>Tensors taken.</summary>
    public int AllocationCount { get; private set; }

    public string Name => "queued";

    public DType ActivationType => _processor.ActivationType;

    public int DefaultBlockSize => _processor.DefaultBlockSize;

    public (long TotalBytes, long AvailableBytes) Memory => _processor.Memory;

    public bool SupportsGraphs => true;

    public Tensor Allocate(int rows, int columns, DType type)
    {
        AllocationCount++;
        return _processor.Allocate(rows, columns, type);
    }

    public void Free(Tensor tensor)
    {
        Synchronize();
        _processor.Free(tensor);
    }

    public Weight AllocateWeight(int rows, int columns, DType type) => _processor.AllocateWeight(rows, columns, type);

    public void UploadRows(Weight weight, int firstRow, ReadOnlySpan<byte> source, DType sourceType, BlockScales? scales = null) =>
        _processor.UploadRows(weight, firstRow, source, sourceType, scales);

    public KvLayer AllocateKvLayer(
        int blockCount, int blockSize, int heads, int keyDim, int valueDim, DType type, bool valuesInKeys = false) =>
        _processor.AllocateKvLayer(blockCount, blockSize, heads, keyDim, valueDim, type, valuesInKeys);

    public void Upload<T>(Tensor destination, ReadOnlySpan<T> source)
        where T : unmanaged
    {
        Assert.Null(_captured);
        T[] copy = source.ToArray();
        Enqueue(() => _processor.Upload<T>(destination, copy));
    }

    public void Download<T>(Tensor source, Span<T> destination)
        where T : unmanaged
    {
        Synchronize();
        _processor.Download(source, destination);
    }

    public HostBuffer AllocateHost(long sizeBytes) => _processor.AllocateHost(sizeBytes);

    public void UploadAsync(Tensor destination, HostBuffer source, long offsetBytes)
    {
        Assert.Null(_captured);
        Enqueue(() =>
        {
            BeforeUpload?.Invoke();
            _processor.UploadAsync(destination, source, offsetBytes);
        });
    }

    public void DownloadAsync(Tensor source, HostBuffer destination, long offsetBytes)
    {
        Assert.Null(_captured);
        Enqueue(() => _processor.DownloadAsync(source, destination, offsetBytes));
    }

    public Fence CreateFence() => new QueuedFence(this);

    public DeviceGraph Capture(Action operations)
    {
        Assert.Null(_captured);
        CaptureCount++;
        _captured = [];
        operations();
        var graph = new QueuedGraph(this, [.. _captured]);
        _captured = null;
        return graph;
    }

    public void Prepare(Action operations) => operations();

    public void Synchronize()
    {
        Assert.Null(_captured);
        SynchronizeCount++;
        using var reached = new ManualResetEventSlim();
        Enqueue(reached.Set, always: true);
        reached.Wait();
        ThrowFault();
    }

    public void ResolveTokenIds(Tensor tokenIds, Tensor lastSampled) => Enqueue(() => _processor.ResolveTokenIds(tokenIds, lastSampled));

    public void Embedding(Tensor output, Weight table, Tensor tokenIds, float scale) =>
        Enqueue(() => _processor.Embedding(output, table, tokenIds, scale));

    public void RmsNorm(Tensor output, Tensor input, Tensor gain, float epsilon, float gainOffset) =>
        Enqueue(() => _processor.RmsNorm(output, input, gain, epsilon, gainOffset));

    public void AddRmsNorm(Tensor output, Tensor residual, Tensor input, Tensor gain, float epsilon, float gainOffset) =>
        Enqueue(() => _processor.AddRmsNorm(output, residual, input, gain, epsilon, gainOffset));

    public void Add(Tensor accumulator, Tensor input) => Enqueue(() => _processor.Add(accumulator, input));

    public void Linear(Tensor output, Tensor input, Weight weight, Tensor? bias) =>
        Enqueue(() => _processor.Linear(output, input, weight, bias));

    public void BlockDiagonalLinear(Tensor output, Tensor input, Weight weight, int groups) =>
        Enqueue(() => _processor.BlockDiagonalLinear(output, input, weight, groups));

    public void RotateAndWriteKv(
        Tensor queries, Tensor keys, Tensor values, Tensor positions, RotaryTable table, KvLayer layer, Tensor slots, HeadNorms? norms = null) =>
        Enqueue(() => _processor.RotateAndWriteKv(queries, keys, values, positions, table, layer, slots, norms));

    public void CopyBlocks(KvLayer shape, Tensor layers, Tensor copies, bool toHost) =>
        Enqueue(() => _processor.CopyBlocks(shape, layers, copies, toHost));

    public void PagedAttention(Tensor output, Tensor queries, KvLayer layer, AttentionPlan plan, AttentionShape shape) =>
        Enqueue(() => _processor.PagedAttention(output, queries, layer, plan, shape));

    public void GatedActivation(Tensor output, Tensor gateUp, Activation activation) =>
        Enqueue(() => _processor.GatedActivation(output, gateUp, activation));

    public void Route(Tensor experts, Tensor weights, Tensor logits, Tensor? correction, Routing routing) =>
        Enqueue(() => _processor.Route(experts, weights, logits, correction, routing));

    public void ExpertLinear(Tensor output, Tensor input, ExpertWeights weights, Tensor? bias, Tensor experts) =>
        Enqueue(() => _processor.ExpertLinear(output, input, weights, bias, experts));

    public void WeightedSum(Tensor output, Tensor input, Tensor weights, bool accumulate) =>
        Enqueue(() => _processor.WeightedSum(output, input, weights, accumulate));

    public void GatherRows(Tensor output, Tensor input, Tensor rows) => Enqueue(() => _processor.GatherRows(output, input, rows));

    public void SoftCap(Tensor values, float cap) => Enqueue(() => _processor.SoftCap(values, cap));

    public void AdjustLogits(Tensor logits, Tensor rows, Tensor masks, Tensor edits, Tensor counts) =>
        Enqueue(() => _processor.AdjustLogits(logits, rows, masks, edits, counts));

    public void SampleTokens(Tensor tokenIds, Tensor logits, Tensor rows, Tensor lastSampled, Tensor counts)
    {
        BeforeSampling?.Invoke();
        Enqueue(() => _processor.SampleTokens(tokenIds, logits, rows, lastSampled, counts));
    }

    public void TopLogprobs(Tensor ids, Tensor logprobs, Tensor ranks, Tensor logits, Tensor tokenIds) =>
        Enqueue(() => _processor.TopLogprobs(ids, logprobs, ranks, logits, tokenIds));

    public void Dispose()
    {
        _queue.CompleteAdding();
        _device.Join();
        _queue.Dispose();
        _processor.Dispose();
    }

    private void Enqueue(Action operation, bool always = false)
    {
        int thread = Environment.CurrentManagedThreadId;
        Assert.Equal(0, Interlocked.Exchange(ref _owner, thread)); // one thread at a time
        if (_captured is not null)
        {
            _captured.Add(operation);
        }
        else
        {
            _queue.Add(always ? operation : () => Guarded(operation));
        }

        Volatile.Write(ref _owner, 0);
    }

    private void Guarded(Action operation)
    {
        if (_fault is not null)
        {
            return;
        }

        try
        {
            operation();
        }
        catch (Exception fault)
        {
            _fault = fault;
        }
    }

    private void ThrowFault()
    {
        if (_fault is Exception fault)
        {
            if (!FaultsStay)
            {
                _fault = null;
            }

            throw new InvalidOperationException("The test device failed.", fault);
        }
    }

    private void Work()
    {
        foreach (Action operation in _queue.GetConsumingEnumerable())
        {
            operation();
        }
    }

    private sealed class QueuedFence(QueuedBackend backend) : Fence
    {
        private volatile ManualResetEventSlim _reached = new(true);

        public override bool IsReached => _reached.IsSet;

        public override void Record()
        {
            var reached = new ManualResetEventSlim();
            _reached = reached;
            backend.Enqueue(() => backend.BeforeFence?.Invoke());
            backend.Enqueue(reached.Set, always: true);
        }

        public override void Wait()
        {
            _reached.Wait();
            backend.ThrowFault();
        }

        public override void Dispose()
        {
        }
    }

    private sealed class QueuedGraph(QueuedBackend backend, Action[] operations) : DeviceGraph
    {
        public override void Launch()
        {
            backend.GraphLaunchCount++;
            foreach (Action operation in operations)
            {
                backend.Enqueue(operation);
            }
        }

        public override void Dispose()
        {
        }
    }
}

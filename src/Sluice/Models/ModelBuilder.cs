using System.Runtime.InteropServices;
using Sluice.Compute;
using Sluice.Layers;
using Sluice.Weights;
using Sluice.Weights.Quantization;

namespace Sluice.Models;

/// <summary>
/// What a model's constructor asks for its weights, tables and buffers. It either loads them, or (without a device) only adds
/// up their sizes: the plan and the loaded model are the same code. Weights are noted here and read afterwards, all in parallel.
/// </summary>
internal sealed class ModelBuilder
{
    private readonly IBackend? _backend;
    private readonly ICheckpoint? _checkpoint;
    private readonly WeightLoader? _loader;
    private readonly DType? _weightType;
    private readonly DType _activationType;
    private readonly Dictionary<(RopeParameters Rope, int RotaryDim), RotaryTable> _rotaryTables = [];

    private ModelBuilder(
        ModelConfig config, BuildLimits limits, DType? weightType, DType activationType, IBackend? backend, ICheckpoint? checkpoint)
    {
        Config = config;
        Limits = limits;
        _weightType = weightType;
        _activationType = activationType;
        _backend = backend;
        _checkpoint = checkpoint;
        _loader = backend is not null && checkpoint is not null ? new WeightLoader(backend, checkpoint) : null;
    }

    /// <summary>A builder that allocates, and notes what to read.</summary>
    public static ModelBuilder ForLoading(
        ModelConfig config, BuildLimits limits, DType? weightType, IBackend backend, ICheckpoint checkpoint) =>
        new(config, limits, weightType, backend.ActivationType, backend, checkpoint);

    /// <summary>A builder that allocates nothing. With a checkpoint it checks all tensors and takes their types from it.</summary>
    public static ModelBuilder ForPlanning(
        ModelConfig config, BuildLimits limits, DType? weightType, DType activationType, ICheckpoint? checkpoint) =>
        new(config, limits, weightType, activationType, null, checkpoint);

    public ModelConfig Config { get; }

    public BuildLimits Limits { get; }

    /// <summary>The device. Models keep it for their forward pass and call nothing on it before; a planned model is never run.</summary>
    public IBackend Backend => _backend!;

    /// <summary>Bytes of all weights, norms and biases.</summary>
    public long WeightBytes { get; private set; }

    /// <summary>Bytes of activation buffers and rotary tables.</summary>
    public long WorkspaceBytes { get; private set; }

    /// <summary>Bytes of activation buffers for each token of the largest batch.</summary>
    public long ActivationBytesPerToken { get; private set; }

    /// <summary>Reads everything that the model asked for.</summary>
    public void LoadWeights(IProgress<LoadProgress>? progress, CancellationToken cancellation) => _loader?.Load(progress, cancellation);

    /// <summary>A projection; tensors are <c>name.weight</c> and, with a bias, <c>name.bias</c>.</summary>
    public Linear Linear(string name, int rows, int columns, bool bias) => Linear(columns, bias, (name, rows));

    /// <summary>A projection that keeps its type where others are quantized while they are loaded: the output, routers.</summary>
    public Linear UnquantizedLinear(string name, int rows, int columns, bool bias) =>
        new(Matrix(columns, quantizes: false, (name, rows)), bias ? Bias([(name, rows)]) : null);

    /// <summary>Several projections of one input in one matrix, in the order given.</summary>
    public Linear Linear(int columns, bool bias, params ReadOnlySpan<(string Name, int Rows)> parts)
    {
        Weight weight = Matrix(columns, quantizes: true, parts);
        return new Linear(weight, bias ? Bias(parts) : null);
    }

    /// <summary>A norm whose gain is the tensor <c>name.weight</c>.</summary>
    public Norm Norm(string name, int width, float gainOffset = 0) =>
        new(Vector(width, (name + ".weight", width)), Config.RmsNormEpsilon, gainOffset);

    /// <summary>
    /// A matrix for each expert, of several projections of one input, in the order given; the tensors of expert 3 are
    /// <c>PREFIX.3.NAME.weight</c>.
    /// </summary>
    /// <param name="prefix">Such as <c>model.layers.0.mlp.experts</c>.</param>
    /// <param name="expertCount">Experts.</param>
    /// <param name="columns">Input features.</param>
    /// <param name="parts">Names and output features.</param>
    public ExpertWeights Experts(string prefix, int expertCount, int columns, params ReadOnlySpan<(string Name, int Rows)> parts)
    {
        var experts = new Weight[expertCount];
        var named = new (string Name, int Rows)[parts.Length];
        for (int expert = 0; expert < expertCount; expert++)
        {
            for (int i = 0; i < parts.Length; i++)
            {
                named[i] = ($"{prefix}.{expert}.{parts[i].Name}", parts[i].Rows);
            }

            experts[expert] = Matrix(columns, quantizes: true, named);
        }

        return new ExpertWeights(experts);
    }

    /// <summary>A vector by its full tensor name, in float32: [1, length].</summary>
    public Tensor Vector(string name, int length) => Vector(length, (name, length));

    /// <summary>True when weights will be read; else only sizes count.</summary>
    public bool Loads => _loader is not null;

    /// <summary>A tensor of the checkpoint, checked; none without a checkpoint.</summary>
    public CheckpointTensor? Find(string name, params ReadOnlySpan<int> shape) => _checkpoint?.Find(name, shape);

    /// <summary>A tensor of bytes, checked; none without a checkpoint.</summary>
    public CheckpointTensor? FindBytes(string name, params ReadOnlySpan<int> shape) => _checkpoint?.FindBytes(name, shape);

    /// <summary>Memory for a matrix that <see cref="Load"/> fills. Four bits stay what they are whatever type others get.</summary>
    public Weight Allocate(int rows, int columns, DType? stored) =>
        AllocateWeight(rows, columns, stored == DType.Float4E2M1 ? DType.Float4E2M1 : StorageType(stored));

    /// <summary>Notes what fills a matrix.</summary>
    public void Load(WeightTask task) => _loader!.Add(task);

    /// <summary>A small tensor [rows, columns], read at once; none when nothing is loaded.</summary>
    public float[]? ReadFloats(string name, int rows, int columns)
    {
        CheckpointTensor? tensor = _checkpoint?.Find(name, [rows, columns]);
        if (tensor is null || _backend is null)
        {
            return null;
        }

        byte[] bytes = new byte[tensor.SizeBytes];
        _checkpoint!.Read(tensor, 0, bytes);
        var values = new float[rows * columns];
        FloatDecoder.Decode(bytes, tensor.Type, values);
        return values;
    }

    /// <summary>Values on the device, in float32: [rows, columns].</summary>
    public Tensor Table(ReadOnlySpan<float> values, int rows, int columns)
    {
        WeightBytes += (long)rows * columns * sizeof(float);
        if (_backend is null)
        {
            return new Tensor(0, DType.Float32, rows, columns);
        }

        Tensor table = _backend.Allocate(rows, columns, DType.Float32);
        _backend.Upload(table, values);
        return table;
    }

    /// <summary>A matrix by its full tensor name.</summary>
    public Weight Matrix(string name, int rows, int columns)
    {
        CheckpointTensor? tensor = _checkpoint?.Find(name, [rows, columns]);
        ScaleTensor? scales = FindScales(tensor, rows, columns);
        Weight weight = AllocateWeight(rows, columns, StorageType(scales is null ? tensor?.Type : Config.StoredType));
        NotePart(tensor, weight, 0, rows, scales);
        return weight;
    }

    /// <summary>
    /// A matrix of each head, below each other, from some rows of each head of the tensor <c>name.weight</c>: as they are,
    /// [heads * rowCount, columns], or each head's transposed, [heads * columns, rowCount].
    /// </summary>
    public Weight HeadMatrices(string name, int columns, HeadRows rows, bool transposed)
    {
        CheckpointTensor? tensor = _checkpoint?.Find(name + ".weight", [rows.Heads * rows.RowsPerHead, columns]);
        ScaleTensor? scales = FindScales(tensor, rows.Heads * rows.RowsPerHead, columns);
        DType type = HeadType(name, tensor, scales, transposed ? rows : null);
        Weight weight = transposed
            ? AllocateWeight(rows.Heads * columns, rows.RowCount, type)
            : AllocateWeight(rows.Heads * rows.RowCount, columns, type);
        if (tensor is not null)
        {
            for (int head = 0; head < rows.Heads; head++)
            {
                _loader?.Add(new HeadTask(tensor, rows, columns, head, weight, transposed, scales));
            }
        }

        return weight;
    }

    /// <summary>Buffer for activations of the largest batch: [maxBatchedTokens, columns].</summary>
    public Tensor Buffer(int columns) => Buffer(columns, rowsPerToken: 1, _activationType);

    /// <summary>Activations with several rows for each token.</summary>
    public Tensor Buffer(int columns, int rowsPerToken) => Buffer(columns, rowsPerToken, _activationType);

    /// <summary>Buffer for elements of another type than activations have.</summary>
    public Tensor Buffer(int columns, int rowsPerToken, DType type)
    {
        int rows = checked(Limits.MaxBatchedTokens * rowsPerToken);
        ActivationBytesPerToken += (long)rowsPerToken * columns * type.SizeBytes();
        WorkspaceBytes += (long)rows * columns * type.SizeBytes();
        return _backend?.Allocate(rows, columns, type) ?? new Tensor(0, type, rows, columns);
    }

    /// <summary>Cosines and sines; layers with equal parameters share them.</summary>
    public RotaryTable Rotary(RopeParameters rope, int headDim)
    {
        int rotaryDim = rope.RotaryDim(headDim);
        ref RotaryTable table = ref CollectionsMarshal.GetValueRefOrAddDefault(_rotaryTables, (rope, rotaryDim), out bool exists);
        if (!exists)
        {
            WorkspaceBytes += RotaryEmbedding.TableBytes(rotaryDim, Limits.PositionCount);
            table = _backend is null ? default : RotaryEmbedding.CreateTable(_backend, rope, rotaryDim, Limits.PositionCount);
        }

        return table;
    }

    private Weight Matrix(int columns, bool quantizes, params ReadOnlySpan<(string Name, int Rows)> parts)
    {
        var tensors = new CheckpointTensor?[parts.Length];
        var scales = new ScaleTensor?[parts.Length];
        int rows = 0;
        DType? stored = null;
        for (int i = 0; i < parts.Length; i++)
        {
            tensors[i] = _checkpoint?.Find(parts[i].Name + ".weight", [parts[i].Rows, columns]);
            scales[i] = FindScales(tensors[i], parts[i].Rows, columns);
            rows += parts[i].Rows;
            quantizes &= Config.Quantization?.Ignored.Contains(parts[i].Name) == false;
            // Parts of one matrix share a type; where the file mixes them, the one that holds all values exactly.
            stored = stored is null || stored == tensors[i]?.Type ? tensors[i]?.Type : DType.Float32;
        }

        // Types of made-up tensors say nothing; without a checkpoint there are none.
        bool makesQuantized = quantizes && (_checkpoint is null || _checkpoint.IsMadeUp || Config.Quantization is { IsStored: false });
        DType type = stored == DType.Float8E4M3 || makesQuantized ? DType.Float8E4M3 : StorageType(stored);
        Weight weight = AllocateWeight(rows, columns, type);
        int firstRow = 0;
        for (int i = 0; i < parts.Length; i++)
        {
            NotePart(tensors[i], weight, firstRow, parts[i].Rows, scales[i]);
            firstRow += parts[i].Rows;
        }

        return weight;
    }

    private Tensor Bias(ReadOnlySpan<(string Name, int Rows)> parts)
    {
        var names = new (string Name, int Length)[parts.Length];
        int length = 0;
        for (int i = 0; i < parts.Length; i++)
        {
            names[i] = (parts[i].Name + ".bias", parts[i].Rows);
            length += parts[i].Rows;
        }

        return Vector(length, names);
    }

    // Vectors are small and read at once, by the thread that builds: uploads of tensors are in order with it.
    private Tensor Vector(int length, params ReadOnlySpan<(string Name, int Length)> parts)
    {
        WeightBytes += (long)length * sizeof(float);
        float[] values = _backend is null ? [] : new float[length];
        int first = 0;
        foreach ((string name, int partLength) in parts)
        {
            CheckpointTensor? tensor = _checkpoint?.Find(name, [partLength]);
            if (tensor?.Type == DType.Float8E4M3)
            {
                throw new UserErrorException($"{tensor.File}: tensor {name} has the dtype {SafetensorsType.Float8}, which only matrices of linear layers can have");
            }

            if (tensor is not null && _backend is not null)
            {
                byte[] bytes = new byte[tensor.SizeBytes];
                _checkpoint!.Read(tensor, 0, bytes);
                FloatDecoder.Decode(bytes, tensor.Type, values.AsSpan(first, partLength));
            }

            first += partLength;
        }

        if (_backend is null)
        {
            return new Tensor(0, DType.Float32, 1, length);
        }

        Tensor vector = _backend.Allocate(1, length, DType.Float32);
        _backend.Upload<float>(vector, values);
        return vector;
    }

    // Scaled elements stay in 8 bits where the scales of a head that becomes columns are those of whole groups of them.
    private DType HeadType(string name, CheckpointTensor? tensor, ScaleTensor? scales, HeadRows? turned)
    {
        bool isMadeUp = (_checkpoint?.IsMadeUp ?? true) && Config.Quantization is { IsStored: true } quantization && !quantization.Ignored.Contains(name);
        if (scales is null && !isMadeUp)
        {
            return StorageType(tensor?.Type);
        }

        int rowBlock = scales?.RowBlock ?? Config.Quantization?.Block?.Rows ?? int.MaxValue;
        return turned is not { } rows || rows.BecomeScaledColumns(rowBlock) ? DType.Float8E4M3 : _weightType ?? DType.Float32;
    }

    private DType StorageType(DType? stored) => _weightType ?? stored ?? Config.StoredType;

    private Weight AllocateWeight(int rows, int columns, DType type)
    {
        Weight weight = _backend?.AllocateWeight(rows, columns, type)
            ?? new Weight(rows, columns, type, 0, Weight.StoredBytes(rows, columns, type));
        WeightBytes += weight.SizeBytes;
        return weight;
    }

    private ScaleTensor? FindScales(CheckpointTensor? tensor, int rows, int columns) => tensor?.Type == DType.Float8E4M3
        ? ScaleTensor.Find(_checkpoint!, Config.Quantization, tensor, rows, columns)
        : null;

    private void NotePart(CheckpointTensor? tensor, Weight weight, int firstRow, int rows, ScaleTensor? scales)
    {
        if (tensor is not null)
        {
            _loader?.Add(tensor, weight, firstRow, rows, scales);
        }
    }
}

/// <summary>How much a model is built for.</summary>
/// <param name="MaxBatchedTokens">Most tokens of one forward pass.</param>
/// <param name="PositionCount">Longest context.</param>
internal readonly record struct BuildLimits(int MaxBatchedTokens, int PositionCount);

using System.Diagnostics;
using Sluice.Compute;
using Sluice.Weights;

namespace Sluice.Models;

/// <summary>Turns a model folder into a model on a device.</summary>
internal static class ModelLoader
{
    /// <param name="options">Folder, type of weights, source of weights, longest context.</param>
    /// <param name="backend">The device; not used by anyone else meanwhile.</param>
    /// <param name="maxBatchedTokens">Most tokens of one forward pass.</param>
    /// <param name="progress">Told of each few megabytes.</param>
    /// <param name="cancellation">Stops between two chunks of a few megabytes.</param>
    /// <exception cref="UserErrorException">The folder is missing, damaged, or holds no model that can be served.</exception>
    public static LoadedModel Load(
        EngineOptions options,
        IBackend backend,
        int maxBatchedTokens,
        IProgress<LoadProgress>? progress,
        CancellationToken cancellation = default)
    {
        var clock = Stopwatch.StartNew();
        ModelConfig config = ModelConfigReader.Read(options.Model, options.HfOverrides);
        GenerationDefaults defaults = GenerationDefaults.Read(options.Model, options.GenerationConfig, options.OverrideGenerationConfig);
        ModelFamily family = ModelRegistry.Find(config.Architecture, options.Model);
        using ICheckpoint checkpoint = OpenCheckpoint(options);
        var limits = new BuildLimits(maxBatchedTokens, options.MaxModelLen ?? config.MaxPositions);

        // Dummy values are made in bfloat16 whatever the model has.
        DType? weightType = options.DType ?? (options.LoadFormat == LoadFormat.Dummy ? config.StoredType : null);

        // Once without a device: a missing tensor or a wrong shape is found before any memory is taken.
        family.Create(ModelBuilder.ForPlanning(config, limits, weightType, backend.ActivationType, checkpoint));
        var builder = ModelBuilder.ForLoading(config, limits, weightType, backend, checkpoint);
        ICausalLm model = family.Create(builder);
        builder.LoadWeights(progress, cancellation);
        return new LoadedModel(model, config, defaults, builder.WeightBytes, clock.Elapsed, checkpoint.UnusedTensors);
    }

    /// <summary>The source of the weights that the options name; headers are read and checked.</summary>
    public static ICheckpoint OpenCheckpoint(EngineOptions options) => options.LoadFormat switch
    {
        LoadFormat.Dummy => new DummyCheckpoint(options.Seed),
        _ => SafetensorsCheckpoint.Open(options.Model),
    };
}

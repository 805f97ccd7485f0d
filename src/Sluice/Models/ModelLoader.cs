using System.Globalization;
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
        using PendingModel pending = Begin(options, backend, maxBatchedTokens);
        return pending.Load(progress, cancellation);
    }

    /// <summary>Takes the memory of a model and finds its tensors, without reading them.</summary>
    /// <inheritdoc cref="Load"/>
    public static PendingModel Begin(EngineOptions options, IBackend backend, int maxBatchedTokens)
    {
        ModelConfig config = ModelConfigReader.Read(options);
        GenerationDefaults defaults = GenerationDefaults.Read(options.Model, options.GenerationConfig, options.OverrideGenerationConfig);
        ModelFamily family = ModelRegistry.Find(config.Architecture, options.Model);
        var limits = new BuildLimits(maxBatchedTokens, options.MaxModelLen ?? config.MaxPositions);

        // Dummy values are made in bfloat16 whatever the model has.
        DType? weightType = options.DType ?? (options.LoadFormat == LoadFormat.Dummy ? config.StoredType : null);
        ICheckpoint checkpoint = OpenCheckpoint(options);
        try
        {
            // Once without a device: a missing tensor, a wrong shape or too little memory is found before any memory is taken.
            var plan = ModelBuilder.ForPlanning(config, limits, weightType, backend.ActivationType, checkpoint);
            family.Create(plan);
            CheckFits(options, plan, backend.Memory.AvailableBytes);
            var builder = ModelBuilder.ForLoading(config, limits, weightType, backend, checkpoint);
            return new PendingModel(family.Create(builder), builder, defaults, checkpoint, options.LoadsWeights);
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    private static void CheckFits(EngineOptions options, ModelBuilder plan, long availableBytes)
    {
        if (plan.WeightBytes + plan.WorkspaceBytes > availableBytes)
        {
            throw new UserErrorException(
                $"{options.Model} takes {Gibibytes(plan.WeightBytes)} GiB for weights and {Gibibytes(plan.WorkspaceBytes)} "
                + $"GiB for buffers, and {Gibibytes(availableBytes)} GiB are free; free memory, or try a smaller model, "
                    + "--dtype, --quantization fp8, --max-model-len or --max-num-batched-tokens");
        }
    }

    private static string Gibibytes(long bytes) => (bytes / (double)(1L << 30)).ToString("0.00", CultureInfo.InvariantCulture);

    /// <summary>The source of the weights that the options name; headers are read and checked.</summary>
    public static ICheckpoint OpenCheckpoint(EngineOptions options) => options.LoadFormat switch
    {
        LoadFormat.Dummy => new DummyCheckpoint(options.Seed),
        _ => SafetensorsCheckpoint.Open(options.Model),
    };
}

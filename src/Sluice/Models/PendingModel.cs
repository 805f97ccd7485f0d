using System.Diagnostics;
using Sluice.Weights;

namespace Sluice.Models;

/// <summary>
/// A model whose memory is taken and whose weights are not read yet. In between, the device can make ready what does not depend on
/// weights. Made by <see cref="ModelLoader.Begin"/>; disposing closes the files.
/// </summary>
internal sealed class PendingModel : IDisposable
{
    private readonly ModelBuilder _builder;
    private readonly ICheckpoint _checkpoint;
    private readonly GenerationDefaults _defaults;
    private readonly bool _readsWeights;
    private readonly long _start = Stopwatch.GetTimestamp();

    public PendingModel(ICausalLm model, ModelBuilder builder, GenerationDefaults defaults, ICheckpoint checkpoint, bool readsWeights)
    {
        Model = model;
        _builder = builder;
        _defaults = defaults;
        _checkpoint = checkpoint;
        _readsWeights = readsWeights;
    }

    /// <summary>The model, to be run when its weights are there.</summary>
    public ICausalLm Model { get; }

    /// <summary>Reads the weights.</summary>
    /// <param name="progress">Told of each few megabytes.</param>
    /// <param name="cancellation">Stops between two chunks of a few megabytes.</param>
    public LoadedModel Load(IProgress<LoadProgress>? progress, CancellationToken cancellation)
    {
        if (_readsWeights)
        {
            _builder.LoadWeights(progress, cancellation);
        }

        return new LoadedModel(
            Model, Model.Config, _defaults, _builder.WeightBytes, Stopwatch.GetElapsedTime(_start), _checkpoint.UnusedTensors);
    }

    public void Dispose() => _checkpoint.Dispose();
}

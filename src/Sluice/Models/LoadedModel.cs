namespace Sluice.Models;

/// <summary>A model that is ready to run, and what there is to say about its loading.</summary>
/// <param name="Model">The model with its weights on the device.</param>
/// <param name="Config">Its configuration.</param>
/// <param name="Defaults">Sampling defaults.</param>
/// <param name="WeightBytes">Device memory of the weights.</param>
/// <param name="Elapsed">Time that loading took.</param>
/// <param name="UnusedTensors">Tensors in the files that the model has no use for.</param>
internal sealed record LoadedModel(
    ICausalLm Model,
    ModelConfig Config,
    GenerationDefaults Defaults,
    long WeightBytes,
    TimeSpan Elapsed,
    IReadOnlyList<string> UnusedTensors);

using Sluice.Compute;
using Sluice.Execution;

namespace Sluice.Models;

/// <summary>A decoder-only language model with its weights on a device. Used by one thread at a time.</summary>
internal interface ICausalLm
{
    /// <summary>The model's configuration.</summary>
    ModelConfig Config { get; }

    /// <summary>
    /// Runs all layers over a mixed batch and writes its keys and values into the cache.
    /// </summary>
    /// <param name="inputs">At most as many tokens as the model was created for.</param>
    /// <returns>Hidden states before the final norm, [tokens, hiddenSize]; valid until the next call.</returns>
    Tensor Forward(in BatchInputs inputs);

    /// <summary>Final norm, output projection and, where the model has one, the cap of the logits.</summary>
    /// <param name="hidden">Rows of <see cref="Forward"/>, [rows, hiddenSize]; not changed.</param>
    /// <param name="logits">float32 [rows, vocabularySize].</param>
    void ComputeLogits(Tensor hidden, Tensor logits);
}

using Sluice.Compute;
using Sluice.Layers;

namespace Sluice.Models;

/// <summary>Mixtures of experts under the names that most checkpoints give their tensors.</summary>
internal static class MoeParts
{
    /// <summary>The feed-forward of a layer: dense, or experts, as <see cref="MoeConfig.SparseLayers"/> says.</summary>
    /// <param name="builder">Source of weights.</param>
    /// <param name="prefix">Such as <c>model.layers.0.</c></param>
    /// <param name="index">Layer.</param>
    public static IFeedForward FeedForward(ModelBuilder builder, string prefix, int index) =>
        builder.Config.Moe is { } moe && moe.SparseLayers[index]
            ? Block(builder, prefix + "mlp", ExpertNames.Usual)
            : LayerParts.GatedMlp(builder, prefix);

    /// <summary>Router, experts and shared experts.</summary>
    /// <param name="builder">Source of weights.</param>
    /// <param name="prefix">Such as <c>model.layers.0.mlp</c>.</param>
    /// <param name="names">Of the experts' projections.</param>
    public static MoeBlock Block(ModelBuilder builder, string prefix, ExpertNames names)
    {
        ModelConfig config = builder.Config;
        MoeConfig moe = config.Moe!;
        int experts = moe.Routing.Experts;
        Linear router = Router(builder, prefix + ".gate", bias: false);
        Tensor? correction = moe.HasCorrection ? builder.Vector(prefix + ".gate.e_score_correction_bias", experts) : null;
        ExpertWeights gateUp = builder.Experts(
            prefix + ".experts", experts, config.HiddenSize, (names.Gate, moe.ExpertWidth), (names.Up, moe.ExpertWidth));
        ExpertWeights down = builder.Experts(prefix + ".experts", experts, moe.ExpertWidth, (names.Down, config.HiddenSize));
        GatedMlp? shared = moe.SharedWidth > 0 ? Shared(builder, prefix + ".shared_experts", moe.SharedWidth) : null;
        return new MoeBlock(router, correction, moe.Routing, new ExpertMlp(gateUp, null, down, null, config.Activation), shared);
    }

    /// <summary>The projection to a logit for each expert.</summary>
    public static Linear Router(ModelBuilder builder, string name, bool bias)
    {
        int experts = builder.Config.Moe!.Routing.Experts;
        try
        {
            return builder.UnquantizedLinear(name, experts, builder.Config.HiddenSize, bias);
        }
        catch (UserErrorException e)
        {
            throw new UserErrorException($"{e.Message}: the router has a row for each of the {experts} experts");
        }
    }

    /// <summary>The buffers of a model's mixtures of experts.</summary>
    public static ExpertBuffers Buffers(ModelBuilder builder, MoeConfig moe)
    {
        int hiddenSize = builder.Config.HiddenSize;
        int chosen = moe.Routing.ChosenExperts;
        Tensor wide = builder.Buffer(Math.Max(2 * moe.ExpertWidth, hiddenSize), chosen);
        return new ExpertBuffers(
            Logits: builder.Buffer(moe.Routing.Experts, rowsPerToken: 1, DType.Float32),
            Chosen: builder.Buffer(chosen, rowsPerToken: 1, DType.Int32),
            Weights: builder.Buffer(chosen, rowsPerToken: 1, DType.Float32),
            GateUp: wide.Narrow(2 * moe.ExpertWidth),
            Gated: builder.Buffer(moe.ExpertWidth, chosen),
            Output: wide.Narrow(hiddenSize));
    }

    private static GatedMlp Shared(ModelBuilder builder, string prefix, int width)
    {
        int hiddenSize = builder.Config.HiddenSize;
        Linear gateUp = builder.Linear(hiddenSize, bias: false, (prefix + ".gate_proj", width), (prefix + ".up_proj", width));
        return new GatedMlp(gateUp, builder.Linear(prefix + ".down_proj", hiddenSize, width, bias: false), builder.Config.Activation);
    }
}

/// <summary>What a checkpoint calls the projections of an expert.</summary>
/// <param name="Gate">Goes through the activation.</param>
/// <param name="Up">Is multiplied with it.</param>
/// <param name="Down">Back to the hidden size.</param>
internal readonly record struct ExpertNames(string Gate, string Up, string Down)
{
    /// <summary>The names of most checkpoints.</summary>
    public static ExpertNames Usual => new("gate_proj", "up_proj", "down_proj");
}

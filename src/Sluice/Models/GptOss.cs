using Sluice.Compute;
using Sluice.Layers;
using Sluice.Weights;

namespace Sluice.Models;

/// <summary>
/// gpt-oss: every other layer slides, attention has sinks, everything has biases, and the feed-forward is experts with a clamped
/// activation, in four bits as released or in bfloat16.
/// </summary>
internal static class GptOss
{
    private const string FourBitMethod = "mxfp4";
    private const double Limit = 7;

    public static ModelFamily Family { get; } = new()
    {
        Configure = Configure,
        Create = static builder => new PreNormDecoder(builder, CreateLayer),
        PositionsIncludeScaling = true,
        OwnQuantization = FourBitMethod,
    };

    private static ModelConfig Configure(ConfigObject source, ModelConfig config)
    {
        if ((source.Positive("swiglu_limit") ?? Limit) != Limit || config.Activation != Activation.Silu)
        {
            throw source.Error($"\"swiglu_limit\" {Limit} and \"hidden_act\" silu were expected; no other activation of this family is known");
        }

        bool bias = source.Flag("attention_bias") ?? true;
        return config with
        {
            Activation = Activation.ClampedSwish,
            AttentionBias = bias,
            AttentionOutputBias = bias,
            Layers = LayerConfigReader.Read(source, config.LayerCount, static index => index % 2 == 0),
            Moe = MoeConfigReader.ReadSoftmax(
                source, config.IntermediateSize, normalize: true, [.. Enumerable.Repeat(true, config.LayerCount)]) with
            {
                HasFourBitExperts = source.Object("quantization_config")?.Text("quant_method") == FourBitMethod,
            },
        };
    }

    private static PreNormLayer CreateLayer(ModelBuilder builder, int index)
    {
        string prefix = $"model.layers.{index}.";
        ModelConfig config = builder.Config;
        Tensor sinks = builder.Vector(prefix + "self_attn.sinks", config.Heads);
        return new PreNormLayer(
            builder.Norm(prefix + "input_layernorm", config.HiddenSize),
            LayerParts.Attention(builder, prefix, index, sinks: sinks),
            builder.Norm(prefix + "post_attention_layernorm", config.HiddenSize),
            CreateBlock(builder, prefix + "mlp."));
    }

    private static MoeBlock CreateBlock(ModelBuilder builder, string prefix)
    {
        ModelConfig config = builder.Config;
        MoeConfig moe = config.Moe!;
        int experts = moe.Routing.Experts;
        var gateUpOrder = new ExpertRowOrder(Interleaved: true);
        var downOrder = new ExpertRowOrder(Interleaved: false);
        Linear router = MoeParts.Router(builder, prefix + "router", bias: true);
        string gateUp = prefix + "experts.gate_up_proj";
        string down = prefix + "experts.down_proj";
        var mlp = new ExpertMlp(
            CreateExperts(builder, gateUp, experts, 2 * moe.ExpertWidth, config.HiddenSize, gateUpOrder),
            ExpertTensors.Biases(builder, gateUp + "_bias", experts, 2 * moe.ExpertWidth, gateUpOrder),
            CreateExperts(builder, down, experts, config.HiddenSize, moe.ExpertWidth, downOrder),
            ExpertTensors.Biases(builder, down + "_bias", experts, config.HiddenSize, downOrder),
            config.Activation);
        return new MoeBlock(router, correction: null, moe.Routing, mlp, shared: null);
    }

    private static ExpertWeights CreateExperts(
        ModelBuilder builder, string name, int experts, int rows, int columns, ExpertRowOrder order) =>
        builder.Config.Moe!.HasFourBitExperts
            ? ExpertTensors.FourBits(builder, name, experts, rows, columns, order)
            : ExpertTensors.Slabs(builder, name, experts, rows, columns, order);
}

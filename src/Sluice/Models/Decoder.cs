using Sluice.Compute;
using Sluice.Execution;
using Sluice.Layers;

namespace Sluice.Models;

/// <summary>What surrounds the layers of a decoder: embedding, final norm, output projection. Layers are the families' own.</summary>
internal abstract class Decoder : ICausalLm
{
    private readonly Weight _embedding;
    private readonly float _embeddingScale;
    private readonly Norm _finalNorm;
    private readonly Linear _output;
    private readonly DecoderBuffers _buffers;

    /// <param name="builder">Source of weights and buffers.</param>
    /// <param name="prefix">What the checkpoint's tensor names begin with.</param>
    /// <param name="embeddingScale">Factor of the embedding.</param>
    /// <param name="gainOffset">1 for families that store the gain of norms minus 1.</param>
    protected Decoder(ModelBuilder builder, string prefix = "model.", float embeddingScale = 1, float gainOffset = 0)
    {
        ModelConfig config = builder.Config;
        Config = config;
        Backend = builder.Backend;
        _embeddingScale = embeddingScale;
        _embedding = builder.Matrix(prefix + "embed_tokens.weight", config.VocabularySize, config.HiddenSize);
        _finalNorm = builder.Norm(prefix + "norm", config.HiddenSize, gainOffset);
        _output = config.TieWordEmbeddings
            ? new Linear(_embedding, null)
            : builder.UnquantizedLinear("lm_head", config.VocabularySize, config.HiddenSize, bias: false);
        _buffers = new DecoderBuffers(
            Residual: builder.Buffer(config.HiddenSize),
            Normed: builder.Buffer(config.HiddenSize),
            Projected: builder.Buffer(config.HiddenSize),
            QueryKeyValue: builder.Buffer(config.ProjectedWidth),
            Attended: builder.Buffer(config.AttendedWidth),
            GateUp: builder.Buffer(2 * config.DenseWidth),
            Gated: builder.Buffer(config.DenseWidth))
        {
            Experts = config.Moe is { } moe ? MoeParts.Buffers(builder, moe) : null,
            Latent = config.Latent is { } latent ? LatentParts.Buffers(builder, latent) : null,
        };
    }

    public ModelConfig Config { get; }

    protected IBackend Backend { get; }

    public Tensor Forward(in BatchInputs inputs)
    {
        DecoderBuffers buffers = _buffers.Slice(inputs.Plan.TokenCount);
        Backend.Embedding(buffers.Residual, _embedding, inputs.TokenIds, _embeddingScale);
        ForwardLayers(buffers, inputs);
        return buffers.Residual;
    }

    public void ComputeLogits(Tensor hidden, Tensor logits)
    {
        Tensor normed = _buffers.Normed.SliceRows(0, hidden.Rows);
        _finalNorm.Forward(Backend, normed, hidden);
        _output.Forward(Backend, logits, normed);
        if (Config.LogitSoftCap > 0)
        {
            Backend.SoftCap(logits, Config.LogitSoftCap);
        }
    }

    /// <summary>Runs the layers over <see cref="DecoderBuffers.Residual"/>, in place.</summary>
    protected abstract void ForwardLayers(in DecoderBuffers buffers, in BatchInputs inputs);
}

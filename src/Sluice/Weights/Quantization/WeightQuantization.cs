using Sluice.Models;

namespace Sluice.Weights.Quantization;

/// <summary>What <c>--quantization</c> and the checkpoint come to together.</summary>
internal static class WeightQuantization
{
    private const string FourBits = "mxfp4";

    private static readonly string[] AtLoad = ["fp8", "fp8_per_channel"];
    private static readonly string[] OfCheckpoints = ["fp8", "compressed-tensors", "fbgemm_fp8", "modelopt", FourBits];

    /// <param name="config">The model.</param>
    /// <param name="asked">The flag; none to take the checkpoint as it is.</param>
    /// <exception cref="UserErrorException">An unknown method, or one that the checkpoint contradicts.</exception>
    public static ModelConfig Apply(ModelConfig config, string? asked)
    {
        if (asked is null)
        {
            return config;
        }

        if (!AtLoad.Contains(asked) && !OfCheckpoints.Contains(asked))
        {
            throw new UserErrorException(
                $"--quantization {asked} is not supported; supported are {string.Join(", ", AtLoad.Union(OfCheckpoints))}");
        }

        string? stored = config.Moe is { HasFourBitExperts: true } ? FourBits : config.Quantization?.Method;
        if (stored is not null)
        {
            return asked == stored
                ? config
                : throw new UserErrorException(
                    $"--quantization {asked}: the weights are quantized by \"{stored}\" already, as the model's configuration says; leave the flag out");
        }

        return AtLoad.Contains(asked)
            ? config with { Quantization = new QuantizationConfig { Method = asked, IsStored = false } }
            : throw new UserErrorException(
                $"--quantization {asked}: config.json has no \"quantization_config\"; fp8 quantizes weights while they are loaded");
    }
}

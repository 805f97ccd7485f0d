namespace Sluice.Models;

/// <summary>Groups of operations that not every device has.</summary>
[Flags]
internal enum ModelFeatures
{
    /// <summary>Dense layers, grouped-query attention, unscaled weights: every device.</summary>
    None = 0,

    /// <summary>Routing, and linear layers with the matrix of a chosen expert.</summary>
    Experts = 1,

    /// <summary>A cache whose values are inside of its keys, and linear layers of each head.</summary>
    LatentAttention = 2,

    /// <summary>8-bit weights with scales.</summary>
    ScaledWeights = 4,
}

/// <summary>What features are called.</summary>
internal static class ModelFeaturesText
{
    /// <summary>The features in words, such as "mixture of experts, latent attention".</summary>
    public static string Describe(this ModelFeatures features)
    {
        var names = new List<string>();
        if (features.HasFlag(ModelFeatures.Experts))
        {
            names.Add("mixture of experts");
        }

        if (features.HasFlag(ModelFeatures.LatentAttention))
        {
            names.Add("latent attention");
        }

        if (features.HasFlag(ModelFeatures.ScaledWeights))
        {
            names.Add("FP8 weights");
        }

        return string.Join(", ", names);
    }
}

namespace Sluice.Models;

/// <summary>
/// Reads rotary parameters in both dialects: <c>rope_theta</c> with <c>rope_scaling</c>, and <c>rope_parameters</c>, which may
/// hold an object for each kind of layer.
/// </summary>
internal static class RopeReader
{
    private const double MaxTheta = 1e15;

    public static RopeParameters Read(ConfigObject source, string layerType)
    {
        ConfigObject? rope = FindObject(source, layerType);
        double? ownTheta = source.IsOverridden("rope_theta") ? null : rope?.Positive("rope_theta");
        double theta = ownTheta ?? source.Positive("rope_theta") ?? 10_000;
        double fraction = rope?.Positive("partial_rotary_factor") ?? source.Positive("partial_rotary_factor") ?? 1;
        if (theta is < 1 or > MaxTheta || fraction > 1)
        {
            throw source.Error($"rope_theta {theta} or partial_rotary_factor {fraction} is out of range (1 to {MaxTheta}; over 0 to 1)");
        }

        var parameters = new RopeParameters { Theta = theta, RotaryFraction = fraction };
        return rope is null ? parameters : ReadScaling(source, rope, parameters);
    }

    /// <summary>The longest context that scaling makes of <paramref name="maxPositions"/>.</summary>
    public static int ExtendedPositions(RopeParameters rope, int maxPositions)
    {
        double extended = rope.Type switch
        {
            "linear" or "dynamic" => maxPositions * rope.Factor,
            "yarn" => rope.OriginalMaxPositions * rope.Factor,
            _ => maxPositions,
        };
        return (int)Math.Clamp(Math.Floor(extended), 1, int.MaxValue);
    }

    private static ConfigObject? FindObject(ConfigObject source, string layerType)
    {
        if (source.IsOverridden("rope_scaling") && !source.IsOverridden("rope_parameters"))
        {
            return source.Object("rope_scaling");
        }

        ConfigObject? parameters = source.Object("rope_parameters") ?? source.Object("rope_scaling");
        if (parameters is null || !(parameters.Has("full_attention") || parameters.Has("sliding_attention")))
        {
            return parameters;
        }

        return parameters.Object(layerType) ?? throw parameters.Error($"\"{layerType}\" is missing, and a layer is of that type");
    }

    private static RopeParameters ReadScaling(ConfigObject source, ConfigObject rope, RopeParameters parameters)
    {
        string type = rope.Text("rope_type") ?? rope.Text("type") ?? "default";
        int maxPositions = source.Required("max_position_embeddings", 1, int.MaxValue);
        int? givenOriginal = rope.Optional("original_max_position_embeddings", 1, int.MaxValue);
        double? givenFactor = rope.Positive("factor");
        switch (type)
        {
            case "default":
                return parameters;
            case "linear" or "dynamic":
                return parameters with
                {
                    Type = type,
                    Factor = Given(rope, "factor", givenFactor),
                    OriginalMaxPositions = givenOriginal ?? maxPositions,
                };
            case "llama3":
                return parameters with
                {
                    Type = type,
                    Factor = Given(rope, "factor", givenFactor),
                    OriginalMaxPositions = (int)Given(rope, "original_max_position_embeddings", givenOriginal),
                    LowFrequencyFactor = Given(rope, "low_freq_factor", rope.Positive("low_freq_factor")),
                    HighFrequencyFactor = Given(rope, "high_freq_factor", rope.Positive("high_freq_factor")),
                };
            case "yarn":
                int yarnOriginal = givenOriginal ?? maxPositions;
                return parameters with
                {
                    Type = type,
                    Factor = givenFactor ?? (double)maxPositions / yarnOriginal,
                    OriginalMaxPositions = yarnOriginal,
                    AttentionFactor = rope.Positive("attention_factor"),
                    BetaFast = rope.Positive("beta_fast") ?? 32,
                    BetaSlow = rope.Positive("beta_slow") ?? 1,
                    MScale = rope.Number("mscale") ?? 0,
                    MScaleAllDim = rope.Number("mscale_all_dim") ?? 0,
                    Truncate = rope.Flag("truncate") ?? true,
                };
            case "longrope" or "su":
                // Phi-3 keeps the original length outside of rope_scaling, and its ratio stands for the factor.
                int? outer = source.Optional("original_max_position_embeddings", 1, int.MaxValue);
                int original = givenOriginal ?? outer ?? maxPositions;
                return parameters with
                {
                    Type = "longrope",
                    Factor = outer is null && givenFactor is { } factor ? factor : (double)maxPositions / original,
                    OriginalMaxPositions = original,
                    AttentionFactor = rope.Positive("attention_factor"),
                    ShortFactors = Factors(rope, "short_factor"),
                    LongFactors = Factors(rope, "long_factor"),
                };
            default:
                throw rope.Error($"rope type \"{type}\" is not supported; supported are default, linear, dynamic, llama3, "
                    + "yarn and longrope");
        }
    }

    private static double Given(ConfigObject rope, string name, double? value) =>
        value ?? throw rope.Error($"\"{name}\" is missing");

    private static IReadOnlyList<double> Factors(ConfigObject rope, string name)
    {
        IReadOnlyList<double> factors = rope.Numbers(name) ?? throw rope.Error($"\"{name}\" is missing");
        foreach (double factor in factors)
        {
            if (!(factor > 0))
            {
                throw rope.Error($"\"{name}\" has the factor {factor}; numbers over 0 were expected");
            }
        }

        return factors;
    }
}

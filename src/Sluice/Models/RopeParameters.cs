namespace Sluice.Models;

/// <summary>Rotary parameters in the one form that both dialects of config.json are read into.</summary>
internal sealed record RopeParameters
{
    /// <summary><c>default</c>, <c>linear</c>, <c>dynamic</c>, <c>llama3</c>, <c>yarn</c> or <c>longrope</c>.</summary>
    public string Type { get; init; } = "default";

    public double Theta { get; init; } = 10_000;

    /// <summary>Share of a head's elements that are rotated, from the front.</summary>
    public double RotaryFraction { get; init; } = 1;

    /// <summary>By how much contexts are longer than those of the first training.</summary>
    public double Factor { get; init; } = 1;

    /// <summary>Context length of the first training.</summary>
    public int OriginalMaxPositions { get; init; }

    /// <summary>Factor of cosines and sines of yarn and longrope; none to derive it from <see cref="Factor"/>.</summary>
    public double? AttentionFactor { get; init; }

    /// <summary>llama3: wavelengths over <see cref="OriginalMaxPositions"/> / this are stretched in full.</summary>
    public double LowFrequencyFactor { get; init; } = 1;

    /// <summary>llama3: wavelengths under <see cref="OriginalMaxPositions"/> / this are left alone.</summary>
    public double HighFrequencyFactor { get; init; } = 4;

    /// <summary>yarn: frequencies with more rotations than this within the original context are left alone.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>yarn: frequencies with fewer rotations than this within the original context are stretched in full.</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>yarn: numerator's weight of the attention factor; 0 when the configuration has none.</summary>
    public double MScale { get; init; }

    /// <summary>yarn: denominator's weight of the attention factor; 0 when the configuration has none.</summary>
    public double MScaleAllDim { get; init; }

    /// <summary>yarn: round the ends of the blended range to whole dimensions.</summary>
    public bool Truncate { get; init; } = true;

    /// <summary>longrope: divisor of each frequency for contexts within <see cref="OriginalMaxPositions"/>.</summary>
    public IReadOnlyList<double> ShortFactors { get; init; } = [];

    /// <summary>longrope: divisor of each frequency for longer contexts.</summary>
    public IReadOnlyList<double> LongFactors { get; init; } = [];

    /// <summary>Leading elements of a head that are rotated.</summary>
    public int RotaryDim(int headDim) => (int)(headDim * RotaryFraction);
}

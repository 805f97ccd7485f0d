using Sluice.Models;

namespace Sluice.Layers;

/// <summary>The angle that each pair of a head's elements turns by from one position to the next, for every rotary variant.</summary>
internal static class RotaryFrequencies
{
    /// <param name="rope">The variant and its parameters.</param>
    /// <param name="rotaryDim">Rotated elements of a head.</param>
    /// <param name="positionCount">
    /// Length of the longest context that is served. Two variants depend on it: dynamic stretches by it, and longrope takes its
    /// long factors when it is over the original length. Both are fixed for the life of the model, since a cached key has one rotation.
    /// </param>
    /// <returns>Angles, one for each pair, and the factor of cosines and sines.</returns>
    public static (float[] Angles, float Factor) Compute(RopeParameters rope, int rotaryDim, int positionCount)
    {
        return rope.Type switch
        {
            "default" => (Plain(rope.Theta, rotaryDim), 1),
            "linear" => (Stretch(Plain(rope.Theta, rotaryDim), rope.Factor), 1),
            "dynamic" => (Plain(DynamicTheta(rope, rotaryDim, positionCount), rotaryDim), 1),
            "llama3" => (Llama3(rope, rotaryDim), 1),
            "yarn" => (Yarn(rope, rotaryDim), YarnFactor(rope)),
            "longrope" => (LongRope(rope, rotaryDim, positionCount), LongRopeFactor(rope)),
            _ => throw new ArgumentException($"Unknown rotary type {rope.Type}", nameof(rope)),
        };
    }

    private static float[] Plain(double theta, int rotaryDim)
    {
        var angles = new float[rotaryDim / 2];
        for (int i = 0; i < angles.Length; i++)
        {
            angles[i] = (float)(1 / Math.Pow(theta, 2.0 * i / rotaryDim));
        }

        return angles;
    }

    private static float[] Stretch(float[] angles, double factor)
    {
        for (int i = 0; i < angles.Length; i++)
        {
            angles[i] = (float)(angles[i] / factor);
        }

        return angles;
    }

    // NTK-aware: theta grows with the context, so that the slowest pair turns as far as it did over the original length.
    private static double DynamicTheta(RopeParameters rope, int rotaryDim, int positionCount)
    {
        double length = Math.Max(positionCount, rope.OriginalMaxPositions);
        double growth = (rope.Factor * length / rope.OriginalMaxPositions) - (rope.Factor - 1);
        return rope.Theta * Math.Pow(growth, rotaryDim / (rotaryDim - 2.0));
    }

    // Long wavelengths are stretched, short ones are left, those between are blended.
    private static float[] Llama3(RopeParameters rope, int rotaryDim)
    {
        float[] angles = Plain(rope.Theta, rotaryDim);
        double longest = rope.OriginalMaxPositions / rope.LowFrequencyFactor;
        double shortest = rope.OriginalMaxPositions / rope.HighFrequencyFactor;
        for (int i = 0; i < angles.Length; i++)
        {
            double wavelength = 2 * Math.PI / angles[i];
            if (wavelength > longest)
            {
                angles[i] = (float)(angles[i] / rope.Factor);
            }
            else if (wavelength >= shortest)
            {
                double keep = ((rope.OriginalMaxPositions / wavelength) - rope.LowFrequencyFactor)
                    / (rope.HighFrequencyFactor - rope.LowFrequencyFactor);
                angles[i] = (float)(((1 - keep) * angles[i] / rope.Factor) + (keep * angles[i]));
            }
        }

        return angles;
    }

    // YaRN (arXiv 2309.00071): pairs are blended by how often they turn within the original length.
    private static float[] Yarn(RopeParameters rope, int rotaryDim)
    {
        double low = TurnsToPair(rope.BetaFast, rope, rotaryDim);
        double high = TurnsToPair(rope.BetaSlow, rope, rotaryDim);
        if (rope.Truncate)
        {
            low = Math.Floor(low);
            high = Math.Ceiling(high);
        }

        low = Math.Max(low, 0);
        high = Math.Min(high, rotaryDim - 1);
        if (low == high)
        {
            high += 0.001;
        }

        float[] angles = Plain(rope.Theta, rotaryDim);
        for (int i = 0; i < angles.Length; i++)
        {
            double stretched = Math.Clamp((i - low) / (high - low), 0, 1);
            angles[i] = (float)((angles[i] / rope.Factor * stretched) + (angles[i] * (1 - stretched)));
        }

        return angles;
    }

    // The pair that turns this many times within the original length.
    private static double TurnsToPair(double turns, RopeParameters rope, int rotaryDim) =>
        rotaryDim * Math.Log(rope.OriginalMaxPositions / (turns * 2 * Math.PI)) / (2 * Math.Log(rope.Theta));

    private static float YarnFactor(RopeParameters rope)
    {
        if (rope.AttentionFactor is { } given)
        {
            return (float)given;
        }

        return rope.MScale != 0 && rope.MScaleAllDim != 0
            ? (float)(YarnScale(rope.Factor, rope.MScale) / YarnScale(rope.Factor, rope.MScaleAllDim))
            : (float)YarnScale(rope.Factor, 1);
    }

    /// <summary>YaRN's attention factor, before it is weighed against another.</summary>
    public static double YarnScale(double factor, double weight) => factor <= 1 ? 1 : (0.1 * weight * Math.Log(factor)) + 1;

    private static float[] LongRope(RopeParameters rope, int rotaryDim, int positionCount)
    {
        IReadOnlyList<double> divisors = positionCount > rope.OriginalMaxPositions ? rope.LongFactors : rope.ShortFactors;
        float[] angles = Plain(rope.Theta, rotaryDim);
        for (int i = 0; i < angles.Length; i++)
        {
            angles[i] = (float)(angles[i] / divisors[i]);
        }

        return angles;
    }

    private static float LongRopeFactor(RopeParameters rope)
    {
        if (rope.AttentionFactor is { } given)
        {
            return (float)given;
        }

        return rope.Factor <= 1 ? 1 : (float)Math.Sqrt(1 + (Math.Log(rope.Factor) / Math.Log(rope.OriginalMaxPositions)));
    }
}

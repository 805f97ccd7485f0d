namespace Sluice.Compute;

/// <summary>The function of a gated feed-forward layer: <c>f(gate) * up</c>, unless said otherwise.</summary>
public enum Activation
{
    /// <summary>x * sigmoid(x).</summary>
    Silu,

    /// <summary>Gelu by its tanh approximation.</summary>
    GeluTanh,

    /// <summary>Gelu by the error function.</summary>
    Gelu,

    /// <summary>
    /// With g = min(gate, 7) and u = up between -7 and 7: g * sigmoid(1.702 g) * (u + 1). CPU only.
    /// </summary>
    ClampedSwish,
}

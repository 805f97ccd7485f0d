namespace Sluice.Compute;

/// <summary>The function of a gated feed-forward layer: <c>f(gate) * up</c>.</summary>
public enum Activation
{
    /// <summary>x * sigmoid(x).</summary>
    Silu,

    /// <summary>Gelu by its tanh approximation.</summary>
    GeluTanh,

    /// <summary>Gelu by the error function.</summary>
    Gelu,
}

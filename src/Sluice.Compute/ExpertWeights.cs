namespace Sluice.Compute;

/// <summary>The matrices of a layer's experts for one projection: all of one shape, each a <see cref="Weight"/> of its own.</summary>
public sealed class ExpertWeights
{
    private readonly Weight[] _experts;

    /// <param name="experts">One matrix an expert, in the order of their numbers.</param>
    /// <exception cref="ArgumentException">There is none, or shapes differ.</exception>
    public ExpertWeights(IReadOnlyList<Weight> experts)
    {
        ArgumentNullException.ThrowIfNull(experts);
        _experts = [.. experts];
        if (_experts.Length == 0)
        {
            throw new ArgumentException("There are no experts.", nameof(experts));
        }

        foreach (Weight expert in _experts)
        {
            if (expert.Rows != Rows || expert.Columns != Columns)
            {
                throw new ArgumentException(
                    $"An expert of {expert.Rows} x {expert.Columns} is among experts of {Rows} x {Columns}.", nameof(experts));
            }
        }
    }

    /// <summary>Experts.</summary>
    public int Count => _experts.Length;

    /// <summary>Output features of each.</summary>
    public int Rows => _experts[0].Rows;

    /// <summary>Input features of each.</summary>
    public int Columns => _experts[0].Columns;

    /// <summary>The matrix of an expert.</summary>
    public Weight this[int expert] => _experts[expert];
}

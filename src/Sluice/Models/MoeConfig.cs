using Sluice.Compute;

namespace Sluice.Models;

/// <summary>The mixture of experts of a model.</summary>
internal sealed record MoeConfig
{
    /// <summary>How experts are chosen and weighed.</summary>
    public required Routing Routing { get; init; }

    /// <summary>Intermediate size of each expert.</summary>
    public required int ExpertWidth { get; init; }

    /// <summary>Intermediate size of all shared experts together; 0 for none.</summary>
    public int SharedWidth { get; init; }

    /// <summary>The router has a correction of the scores for the choice.</summary>
    public bool HasCorrection { get; init; }

    /// <summary>Experts are stored in four bits an element, with a power of two for each 32.</summary>
    public bool HasFourBitExperts { get; init; }

    /// <summary>For each layer, whether it has experts; else it is dense.</summary>
    public required IReadOnlyList<bool> SparseLayers { get; init; }

    /// <summary>Some layers have no experts.</summary>
    public bool HasDenseLayers => SparseLayers.Contains(false);
}

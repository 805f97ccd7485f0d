namespace Sluice.Compute;

/// <summary>What the scores of experts are made of.</summary>
public enum RoutingScore
{
    /// <summary>Softmax of the logits over all experts.</summary>
    Softmax,

    /// <summary>The logistic function of each logit.</summary>
    Sigmoid,
}

/// <summary>How much a group of experts counts when groups are chosen.</summary>
public enum GroupScore
{
    /// <summary>As its best expert.</summary>
    Best,

    /// <summary>As the sum of its two best experts.</summary>
    SumOfTwoBest,
}

/// <summary>
/// How a mixture of experts chooses for a token: scores of the logits, plus a correction for the choice only; the best
/// <see cref="ChosenGroups"/> of <see cref="Groups"/> equal groups; in them the <see cref="ChosenExperts"/> best experts. Equals go
/// to the lower number. The weights are the scores without the correction, divided by their sum when <see cref="Normalize"/> is set,
/// times <see cref="Scale"/>.
/// </summary>
/// <param name="Experts">Experts to choose from.</param>
/// <param name="ChosenExperts">Experts of a token.</param>
public sealed record Routing(int Experts, int ChosenExperts)
{
    /// <summary>Scores of the logits.</summary>
    public RoutingScore Score { get; init; }

    /// <summary>Groups of equally many experts that follow each other; 1 for no groups.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>Groups that a token may take experts from.</summary>
    public int ChosenGroups { get; init; } = 1;

    /// <summary>Order of the groups.</summary>
    public GroupScore GroupScore { get; init; }

    /// <summary>Weights of a token add up to <see cref="Scale"/>.</summary>
    public bool Normalize { get; init; }

    /// <summary>Factor of the weights.</summary>
    public float Scale { get; init; } = 1;

    /// <summary>Experts of a group.</summary>
    public int GroupSize => Experts / Groups;

    /// <summary>The rule that these numbers break, or none.</summary>
    public string? Contradiction()
    {
        if (Experts < 1 || Groups < 1 || Experts % Groups != 0)
        {
            return $"{Experts} experts are not {Groups} equal groups";
        }

        if (ChosenGroups < 1 || ChosenGroups > Groups)
        {
            return $"{ChosenGroups} of {Groups} groups cannot be chosen";
        }

        if (GroupScore == GroupScore.SumOfTwoBest && Groups > 1 && GroupSize < 2)
        {
            return $"groups of {GroupSize} expert have no two best ones";
        }

        return ChosenExperts < 1 || ChosenExperts > ChosenGroups * GroupSize
            ? $"{ChosenExperts} experts of a token cannot come from {ChosenGroups} groups of {GroupSize}"
            : null;
    }
}

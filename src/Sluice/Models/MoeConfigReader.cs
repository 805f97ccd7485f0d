using Sluice.Compute;

namespace Sluice.Models;

/// <summary>Reads the mixture of experts of config.json and checks that its numbers fit each other.</summary>
internal static class MoeConfigReader
{
    // Far above anything released: what is beyond is a damaged file, and must not become an allocation.
    private const int MaxExperts = 1 << 14;
    private const int MaxWidth = 1 << 20;

    /// <summary>Experts that are chosen among all by softmax, and no shared ones.</summary>
    /// <param name="source">config.json.</param>
    /// <param name="expertWidth">Intermediate size of an expert.</param>
    /// <param name="normalize">Whether the weights of a token add up to 1.</param>
    /// <param name="sparseLayers">Which layers have experts.</param>
    public static MoeConfig ReadSoftmax(ConfigObject source, int expertWidth, bool normalize, IReadOnlyList<bool> sparseLayers)
    {
        // Older files of some families say num_experts.
        string key = source.Has("num_local_experts") ? "num_local_experts" : "num_experts";
        var routing = new Routing(source.Required(key, 1, MaxExperts), source.Required("num_experts_per_tok", 1, MaxExperts))
        {
            Normalize = normalize,
        };
        return new MoeConfig { Routing = Checked(source, routing), ExpertWidth = expertWidth, SparseLayers = sparseLayers };
    }

    /// <summary>Experts in groups with shared ones beside them, and the first layers dense: the keys that DeepSeek began with.</summary>
    /// <param name="source">config.json.</param>
    /// <param name="layerCount">Layers.</param>
    /// <param name="scoring">What the family does when <c>scoring_func</c> is missing.</param>
    /// <param name="method">What the family does when <c>topk_method</c> is missing.</param>
    public static MoeConfig ReadGrouped(ConfigObject source, int layerCount, string scoring, string method)
    {
        int experts = source.Required("n_routed_experts", 1, MaxExperts);
        int width = source.Required("moe_intermediate_size", 1, MaxWidth);
        int shared = source.Optional("n_shared_experts", 0, MaxExperts) ?? 0;
        string chosenMethod = source.Text("topk_method") ?? method;
        (bool grouped, GroupScore groupScore, bool corrected) = chosenMethod switch
        {
            "greedy" => (false, GroupScore.Best, false),
            "group_limited_greedy" => (true, GroupScore.Best, false),
            "noaux_tc" => (true, GroupScore.SumOfTwoBest, true),
            _ => throw source.Error($"\"topk_method\" \"{chosenMethod}\" is not supported; supported are greedy, group_limited_greedy "
                + "and noaux_tc"),
        };
        string score = source.Text("scoring_func") ?? scoring;
        if ((long)width * shared > MaxWidth)
        {
            throw source.Error($"\"n_shared_experts\" {shared} times \"moe_intermediate_size\" {width} is over {MaxWidth}");
        }

        var routing = new Routing(experts, source.Required("num_experts_per_tok", 1, MaxExperts))
        {
            Score = score switch
            {
                "softmax" => RoutingScore.Softmax,
                "sigmoid" => RoutingScore.Sigmoid,
                _ => throw source.Error($"\"scoring_func\" \"{score}\" is not supported; supported are softmax and sigmoid"),
            },
            Groups = grouped ? source.Optional("n_group", 1, MaxExperts) ?? 1 : 1,
            ChosenGroups = grouped ? source.Optional("topk_group", 1, MaxExperts) ?? 1 : 1,
            GroupScore = groupScore,
            Normalize = source.Flag("norm_topk_prob") ?? false,
            Scale = (float)(source.Positive("routed_scaling_factor") ?? 1),
        };
        int firstSparse = source.Optional("first_k_dense_replace", 0, int.MaxValue) ?? 0;
        int frequency = source.Optional("moe_layer_freq", 1, int.MaxValue) ?? 1;
        var sparse = new bool[layerCount];
        for (int index = 0; index < layerCount; index++)
        {
            sparse[index] = index >= firstSparse && index % frequency == 0;
        }

        return new MoeConfig
        {
            Routing = Checked(source, routing),
            ExpertWidth = width,
            SharedWidth = width * shared,
            HasCorrection = corrected,
            SparseLayers = sparse,
        };
    }

    private static Routing Checked(ConfigObject source, Routing routing) => routing.Contradiction() is { } contradiction
        ? throw source.Error($"{contradiction} (the number of experts, \"num_experts_per_tok\", \"n_group\" and \"topk_group\")")
        : routing;
}

namespace Sluice.Models;

/// <summary>What a model's authors recommend for sampling (generation_config.json); requests that say nothing use it.</summary>
public sealed record GenerationDefaults
{
    /// <summary>Default of <see cref="Requests.SamplingParams.Temperature"/>, when there is one.</summary>
    public float? Temperature { get; init; }

    /// <summary>Default of <see cref="Requests.SamplingParams.TopP"/>, when there is one.</summary>
    public float? TopP { get; init; }

    /// <summary>Default of <see cref="Requests.SamplingParams.TopK"/>, when there is one.</summary>
    public int? TopK { get; init; }

    /// <summary>Default of <see cref="Requests.SamplingParams.MinP"/>, when there is one.</summary>
    public float? MinP { get; init; }

    /// <summary>Default of <see cref="Requests.SamplingParams.RepetitionPenalty"/>, when there is one.</summary>
    public float? RepetitionPenalty { get; init; }

    /// <summary>Default of <see cref="Requests.SamplingParams.MaxTokens"/>, and its limit, when there is one.</summary>
    public int? MaxNewTokens { get; init; }

    /// <summary>Ids that end a sequence, in addition to config.json's.</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    /// <summary>Reads the defaults. No file is no error.</summary>
    /// <param name="modelFolder">The model folder.</param>
    /// <param name="source"><c>auto</c> for the model folder, <c>vllm</c> for none, or another folder.</param>
    /// <param name="overrides">A JSON object whose keys win over the file's, or none.</param>
    /// <exception cref="UserErrorException">No JSON object, or a value of the wrong type or range.</exception>
    internal static GenerationDefaults Read(string modelFolder, string source, string? overrides)
    {
        const string overridesName = "--override-generation-config";
        string folder = source == "auto" ? modelFolder : source;
        if (source is not ("auto" or "vllm") && !Directory.Exists(folder))
        {
            throw new UserErrorException($"--generation-config {source}: the folder does not exist (auto, vllm or a folder was expected)");
        }

        string path = Path.Combine(folder, "generation_config.json");
        ConfigObject config = source != "vllm" && File.Exists(path)
            ? ConfigObject.ReadFile(path, overrides, overridesName)
            : ConfigObject.FromOverrides(overrides, overridesName);
        return new GenerationDefaults
        {
            Temperature = InRange(config, "temperature", 0, float.MaxValue),
            TopP = InRange(config, "top_p", float.Epsilon, 1),
            TopK = config.Optional("top_k", -1, int.MaxValue),
            MinP = InRange(config, "min_p", 0, 1),
            RepetitionPenalty = InRange(config, "repetition_penalty", float.Epsilon, float.MaxValue),
            MaxNewTokens = config.Optional("max_new_tokens", 1, int.MaxValue),
            EosTokenIds = config.Integers("eos_token_id"),
        };
    }

    private static float? InRange(ConfigObject config, string name, double minimum, double maximum)
    {
        double? value = config.Number(name);
        return value is not { } given || (given >= minimum && given <= maximum)
            ? (float?)value
            : throw config.Error($"\"{name}\" is {given}; {minimum} to {maximum} was expected");
    }
}

namespace Sluice.Models;

/// <summary>The architectures that can be served, by the name in config.json.</summary>
internal static class ModelRegistry
{
    private static readonly Dictionary<string, ModelFamily> Families = new(StringComparer.Ordinal)
    {
        ["DeepseekV2ForCausalLM"] = DeepSeekV2.Family,
        ["DeepseekV3ForCausalLM"] = DeepSeekV3.Family,
        ["Gemma2ForCausalLM"] = Gemma2.Family,
        ["Gemma3ForCausalLM"] = Gemma3.Family,
        ["Gemma3ForConditionalGeneration"] = Gemma3.LanguagePart,
        ["GemmaForCausalLM"] = Gemma.Family,
        ["Glm4MoeForCausalLM"] = Glm4Moe.Family,
        ["GptOssForCausalLM"] = GptOss.Family,
        ["LlamaForCausalLM"] = Llama.Family,
        ["MistralForCausalLM"] = Mistral.Family,
        ["MixtralForCausalLM"] = Mixtral.Family,
        ["Olmo2ForCausalLM"] = Olmo2.Family,
        ["Phi3ForCausalLM"] = Phi3.Family,
        ["Qwen2ForCausalLM"] = Qwen2.Family,
        ["Qwen3ForCausalLM"] = Qwen3.Family,
        ["Qwen3MoeForCausalLM"] = Qwen3Moe.Family,
    };

    /// <summary>Supported architectures in alphabetical order.</summary>
    public static IReadOnlyList<string> Architectures { get; } = [.. Families.Keys.Order(StringComparer.Ordinal)];

    /// <param name="architecture">architectures[0] of config.json.</param>
    /// <param name="path">The file, for errors.</param>
    public static ModelFamily Find(string architecture, string path)
    {
        if (Families.TryGetValue(architecture, out ModelFamily? family))
        {
            return family;
        }

        throw new UserErrorException($"{path}: architecture \"{architecture}\" is unknown; supported are {string.Join(", ", Architectures)}");
    }
}

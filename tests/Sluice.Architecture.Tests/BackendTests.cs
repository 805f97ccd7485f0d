using System.Reflection;
using Sluice.Compute;

namespace Sluice.Architecture.Tests;

public sealed class BackendTests
{
    private const int MostMembers = 40;

    // A backend offers mathematics; a member named after one of these would tie it to a model or a file format.
    private static readonly string[] ForeignWords =
        ["Llama", "Mistral", "Qwen", "Gemma", "Phi", "Olmo", "DeepSeek", "Gpt", "Glm", "Safetensors", "Gguf", "Awq", "Gptq"];

    [Fact]
    public void IBackend_Members_StayFew()
    {
        int count = Members().Count();
        Assert.InRange(count, 1, MostMembers);
    }

    [Fact]
    public void IBackend_Names_AreMathematics()
    {
        foreach (MemberInfo member in Members())
        {
            Assert.DoesNotContain(ForeignWords, word => member.Name.Contains(word, StringComparison.OrdinalIgnoreCase));
        }
    }

    private static IEnumerable<MemberInfo> Members() =>
        typeof(IBackend).GetMembers().Where(member => member is not MethodInfo { IsSpecialName: true });
}

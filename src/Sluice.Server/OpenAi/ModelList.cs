using System.Text.Json.Serialization;

namespace Sluice.Server.OpenAi;

/// <summary>Answer of <c>/v1/models</c>.</summary>
internal sealed record ModelList(IReadOnlyList<ModelCard> Data)
{
    [JsonPropertyOrder(-1)]
    public string Object { get; } = "list";
}

/// <summary>A served model, as vLLM describes it.</summary>
/// <param name="Id">Name for requests.</param>
/// <param name="Created">Unix time at which the server started.</param>
/// <param name="Root">What the server was started with; benchmark clients take the tokenizer from there.</param>
/// <param name="MaxModelLen">Longest prompt and completion together, in tokens.</param>
internal sealed record ModelCard(string Id, long Created, string Root, int MaxModelLen)
{
    public string Object { get; } = "model";

    public string OwnedBy { get; } = "sluice";

    public string? Parent { get; }

    public IReadOnlyList<ModelPermission> Permission { get; } = [new($"modelperm-{Guid.NewGuid():N}", Created)];
}

/// <summary>OpenAI's old permission object, which some clients still read.</summary>
internal sealed record ModelPermission(string Id, long Created)
{
    public string Object { get; } = "model_permission";

    public bool AllowCreateEngine { get; }

    public bool AllowSampling { get; } = true;

    public bool AllowLogprobs { get; } = true;

    public bool AllowSearchIndices { get; }

    public bool AllowView { get; } = true;

    public bool AllowFineTuning { get; }

    public string Organization { get; } = "*";

    public string? Group { get; }

    public bool IsBlocking { get; }
}

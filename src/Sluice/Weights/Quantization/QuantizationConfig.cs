namespace Sluice.Weights.Quantization;

/// <summary>How the 8-bit weights of a model are scaled: by its checkpoint, or by us when they are made from others at load.</summary>
internal sealed record QuantizationConfig
{
    /// <summary>The checkpoint's name for it (<c>quant_method</c>), or what the user asked for.</summary>
    public required string Method { get; init; }

    /// <summary>The checkpoint has 8-bit weights already; else they are made from others, with a scale for each output feature.</summary>
    public required bool IsStored { get; init; }

    /// <summary>What follows a module's name in the names of its scales.</summary>
    public string ScaleName { get; init; } = "weight_scale";

    /// <summary>Rows and columns of the blocks that share a scale, where the checkpoint has such scales.</summary>
    public (int Rows, int Columns)? Block { get; init; }

    /// <summary>One scale for a tensor, or one for each row of it, may be there.</summary>
    public bool HasTensorOrRowScales { get; init; }

    /// <summary>Modules that keep their type.</summary>
    public ModuleList Ignored { get; init; } = ModuleList.None;
}

namespace Sluice.Text.Jinja;

/// <summary>Where characters come from. A run of characters has one origin; a string's mask is the union of its runs'.</summary>
[Flags]
internal enum Origin : byte
{
    None = 0,

    /// <summary>The template's own text: special-token text in it is a control token.</summary>
    Template = 1,

    /// <summary>The client's data: never a control token.</summary>
    Client = 2,

    /// <summary>The client's data too, and the very text that the model is asked to continue.</summary>
    Continued = 4,
}

/// <summary>Characters up to <paramref name="End"/> (exclusive, in the source string) that share an origin.</summary>
internal readonly record struct OriginRun(int End, Origin Origin);

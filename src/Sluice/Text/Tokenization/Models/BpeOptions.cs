namespace Sluice.Text.Tokenization.Models;

/// <summary>The small settings of a BPE model in tokenizer.json.</summary>
internal sealed record BpeOptions
{
    /// <summary>The token for characters outside the vocabulary; -1: they are dropped.</summary>
    public int UnknownId { get; init; } = -1;

    public bool FuseUnknown { get; init; }

    /// <summary>Characters outside the vocabulary become one <c>&lt;0x..&gt;</c> token a byte.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>A word that is in the vocabulary as a whole is that token, whatever the merges say.</summary>
    public bool IgnoreMerges { get; init; }

    public string ContinuingSubwordPrefix { get; init; } = "";

    public string EndOfWordSuffix { get; init; } = "";

    /// <summary>Words come as plain text and their UTF-8 bytes are the symbols (a byte-level pre-tokenizer came last).</summary>
    public bool ByteLevel { get; init; }
}

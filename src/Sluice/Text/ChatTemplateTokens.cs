namespace Sluice.Text;

/// <summary>The special tokens that a template can name (<c>bos_token</c> and so on); one that a model lacks is undefined in it.</summary>
public sealed record ChatTemplateTokens(
    string? Bos, string? Eos, string? Pad = null, string? Unk = null, string? Sep = null, string? Cls = null, string? Mask = null);

namespace Sluice.Text.Tokenization;

/// <summary>A token that is found in the text as it stands, before the model sees it.</summary>
/// <param name="Id">The token id.</param>
/// <param name="Content">The text that stands for it.</param>
/// <param name="Special">A control token: left out when special tokens are skipped.</param>
/// <param name="SingleWord">Matches only where no word character touches it.</param>
/// <param name="LeftStrip">Takes the white space before it along.</param>
/// <param name="RightStrip">Takes the white space after it along.</param>
/// <param name="Normalized">Is searched in the normalized text, in its own normalized form.</param>
internal sealed record AddedToken(
    int Id,
    string Content,
    bool Special,
    bool SingleWord,
    bool LeftStrip,
    bool RightStrip,
    bool Normalized)
{
    /// <summary>
    /// May not be made by a client's text. Files leave markers such as &lt;｜User｜&gt; without the special flag so that decoding shows
    /// them, though they open a turn just the same.
    /// </summary>
    public bool IsControl { get; } = Special
        || (Content.Length > 4 && Content[0] == '<' && Content[^1] == '>' && Content[1] is ('|' or '｜') && Content[^2] is ('|' or '｜'));
}

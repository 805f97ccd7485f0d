namespace Sluice.Text.Tokenization;

/// <summary>
/// Puts the special tokens around the ids of a text. Each template is a list of parts; a null part is the ids so far.
/// Templates apply one after another.
/// </summary>
internal sealed class PostProcessor(IReadOnlyList<IReadOnlyList<int[]?>> templates)
{
    public int[] Apply(ReadOnlySpan<int> ids)
    {
        int[] current = ids.ToArray();
        foreach (IReadOnlyList<int[]?> template in templates)
        {
            var output = new TokenBuffer();
            foreach (int[]? part in template)
            {
                output.AddRange(part ?? current);
            }

            current = output.Ids.ToArray();
        }

        return current;
    }
}

namespace Sluice.Text.Tokenization;

/// <summary>A growing list of token ids.</summary>
internal sealed class TokenBuffer
{
    private int[] _ids = new int[64];

    public int Count { get; private set; }

    public ReadOnlySpan<int> Ids => _ids.AsSpan(0, Count);

    public void Add(int id)
    {
        if (Count == _ids.Length)
        {
            Array.Resize(ref _ids, Count * 2);
        }

        _ids[Count++] = id;
    }

    public void AddRange(ReadOnlySpan<int> ids)
    {
        int needed = Count + ids.Length;
        if (needed > _ids.Length)
        {
            Array.Resize(ref _ids, Math.Max(needed, Count * 2));
        }

        ids.CopyTo(_ids.AsSpan(Count));
        Count = needed;
    }
}

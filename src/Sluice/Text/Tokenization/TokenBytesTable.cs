namespace Sluice.Text.Tokenization;

/// <summary>The bytes of every token, in one array.</summary>
internal sealed class TokenBytesTable
{
    private readonly byte[] _bytes;
    private readonly int[] _starts;

    public TokenBytesTable(int tokenCount, Func<int, byte[]> bytesOf)
    {
        _starts = new int[tokenCount + 1];
        using var all = new MemoryStream();
        for (int id = 0; id < tokenCount; id++)
        {
            all.Write(bytesOf(id));
            _starts[id + 1] = (int)all.Length;
        }

        _bytes = all.ToArray();
    }

    public ReadOnlySpan<byte> this[int id] =>
        (uint)id < (uint)(_starts.Length - 1) ? _bytes.AsSpan(_starts[id].._starts[id + 1]) : [];
}

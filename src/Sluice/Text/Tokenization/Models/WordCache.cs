namespace Sluice.Text.Tokenization.Models;

/// <summary>
/// The tokens of recently seen words. A word has one possible slot and replaces what was there: bounded, without locks,
/// and no client can make it slower than no cache.
/// </summary>
internal sealed class WordCache
{
    // 16,384 slots of about 120 bytes: 2 MB when full. English prose of 1 MB has about 30,000 different words, Zipf-distributed.
    private const int SlotCount = 1 << 14;
    private const int MaximumWordLength = 64;

    private readonly Entry?[] _slots = new Entry?[SlotCount];

    public bool TryGet(ReadOnlySpan<char> word, out uint hash, TokenBuffer output)
    {
        hash = 0;
        if (word.Length > MaximumWordLength)
        {
            return false;
        }

        hash = ByteHash.Of(word);
        Entry? entry = Volatile.Read(ref _slots[hash % SlotCount]);
        if (entry is null || entry.Hash != hash || !word.SequenceEqual(entry.Word))
        {
            return false;
        }

        output.AddRange(entry.Ids);
        return true;
    }

    public void Add(ReadOnlySpan<char> word, uint hash, ReadOnlySpan<int> ids)
    {
        if (word.Length <= MaximumWordLength)
        {
            Volatile.Write(ref _slots[hash % SlotCount], new Entry(hash, word.ToString(), ids.ToArray()));
        }
    }

    private sealed record Entry(uint Hash, string Word, int[] Ids);
}

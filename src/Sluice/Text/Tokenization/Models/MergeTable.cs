using System.Numerics;

namespace Sluice.Text.Tokenization.Models;

/// <summary>The merges of a BPE model: pair of token ids to rank (lower goes first) and the id of the merged token.</summary>
internal sealed class MergeTable
{
    private readonly Entry[] _entries;

    public MergeTable(int capacity) =>
        _entries = new Entry[BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, capacity * 2))];

    /// <summary>Adds a merge; a pair that is already there gets the new rank.</summary>
    public void Set(int left, int right, int rank, int result) =>
        FindSlot(Key(left, right)) = new Entry { KeyPlusOne = Key(left, right) + 1, Rank = rank, Result = result };

    public bool TryGet(int left, int right, out int rank, out int result)
    {
        ref Entry entry = ref FindSlot(Key(left, right));
        (rank, result) = (entry.Rank, entry.Result);
        return entry.KeyPlusOne != 0;
    }

    /// <summary>All merges but those that make one of these ids; the table itself when there are none such.</summary>
    public MergeTable Without(IReadOnlySet<int> results)
    {
        MergeTable? reduced = null;
        foreach (Entry entry in _entries)
        {
            if (entry.KeyPlusOne != 0 && results.Contains(entry.Result))
            {
                reduced = new MergeTable(_entries.Length / 2);
                break;
            }
        }

        if (reduced is null)
        {
            return this;
        }

        foreach (Entry entry in _entries)
        {
            if (entry.KeyPlusOne != 0 && !results.Contains(entry.Result))
            {
                reduced.FindSlot(entry.KeyPlusOne - 1) = entry;
            }
        }

        return reduced;
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private ref Entry FindSlot(ulong key)
    {
        uint mask = (uint)_entries.Length - 1;
        uint index = ByteHash.OfPair(key) & mask;
        while (_entries[index].KeyPlusOne != 0 && _entries[index].KeyPlusOne != key + 1)
        {
            index = (index + 1) & mask;
        }

        return ref _entries[index];
    }

    private struct Entry
    {
        public ulong KeyPlusOne;
        public int Rank;
        public int Result;
    }
}

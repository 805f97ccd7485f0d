using System.Runtime.InteropServices;

namespace Sluice.Text.Tokenization;

/// <summary>A fast hash for words and vocabulary entries. Not keyed: what it indexes is bounded or comes from the model's files.</summary>
internal static class ByteHash
{
    private const ulong Multiplier = 0x9E3779B97F4A7C15;

    public static uint Of(ReadOnlySpan<char> text) => Of(MemoryMarshal.AsBytes(text));

    public static uint Of(ReadOnlySpan<byte> bytes)
    {
        ulong hash = (ulong)bytes.Length * Multiplier;
        while (bytes.Length >= 8)
        {
            hash = Mix(hash ^ MemoryMarshal.Read<ulong>(bytes));
            bytes = bytes[8..];
        }

        ulong tail = 0;
        foreach (byte value in bytes)
        {
            tail = (tail << 8) | value;
        }

        hash = Mix(hash ^ tail);
        return (uint)(hash >> 32);
    }

    public static uint OfPair(ulong pair) => (uint)(Mix(pair) >> 32);

    private static ulong Mix(ulong value)
    {
        value *= Multiplier;
        value ^= value >> 29;
        return value * Multiplier;
    }
}

namespace Sluice.Tests.Execution;

/// <summary>
/// A model that is pure arithmetic: a state is a hash of all tokens so far, and the next token is a hash of the state, the seed
/// and the number of tokens generated. What it says depends on every token of the context, as a language model's answer does.
/// </summary>
internal static class EchoModel
{
    public const int VocabularySize = 1000;

    /// <summary>One token in about 200 is the end of the sequence.</summary>
    public const int EndToken = 7;

    public static ulong Extend(ulong state, int token) => Mix(state ^ Mix((ulong)token + 0x51ed2701));

    public static int NextToken(ulong state, long seed, int outputIndex)
    {
        ulong value = Mix(state + Mix((ulong)seed + ((ulong)outputIndex << 32)));
        return value % 200 == 0 ? EndToken : 10 + (int)((value >> 20) % (VocabularySize - 10));
    }

    /// <summary>What the engine must answer.</summary>
    public static List<int> Generate(IReadOnlyList<int> prompt, long seed, int maxTokens, bool ignoreEos = false)
    {
        ulong state = 0;
        foreach (int token in prompt)
        {
            state = Extend(state, token);
        }

        var output = new List<int>();
        while (output.Count < maxTokens)
        {
            int token = NextToken(state, seed, output.Count);
            output.Add(token);
            state = Extend(state, token);
            if (token == EndToken && !ignoreEos)
            {
                break;
            }
        }

        return output;
    }

    private static ulong Mix(ulong z)
    {
        z += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
}

using Sluice.Requests;

namespace Sluice.Sampling;

/// <summary>What a step's sampling gave, row by row. Made once by its user and filled again each step.</summary>
internal sealed class SampledTokens
{
    /// <summary>Rows filled.</summary>
    public int Count { get; private set; }

    /// <summary>The chosen tokens; meaningless where <see cref="Errors"/> says something.</summary>
    public int[] TokenIds { get; private set; } = [];

    /// <summary>Logprobs of the rows whose requests asked for them.</summary>
    public PositionLogprobs?[] Logprobs { get; private set; } = [];

    /// <summary>Why a row has no token; a matter of that request alone.</summary>
    public string?[] Errors { get; private set; } = [];

    /// <summary>Room for so many rows, all empty.</summary>
    internal void Reset(int count)
    {
        if (count > TokenIds.Length)
        {
            int capacity = Math.Max(count, TokenIds.Length * 2);
            TokenIds = new int[capacity];
            Logprobs = new PositionLogprobs?[capacity];
            Errors = new string?[capacity];
        }

        Array.Clear(Logprobs, 0, Math.Max(count, Count));
        Array.Clear(Errors, 0, Math.Max(count, Count));
        Count = count;
    }
}

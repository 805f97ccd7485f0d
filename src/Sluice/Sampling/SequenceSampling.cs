using Sluice.Requests;

namespace Sluice.Sampling;

/// <summary>What the sampler keeps of one sequence between steps. Reused by the next sequence of the slot.</summary>
internal sealed class SequenceSampling
{
    private static readonly Dictionary<int, float> NoBias = [];
    private int[] _output = [];
    private int _notedCount;

    public SamplingParams? Params { get; private set; }

    public long Seed { get; private set; }

    /// <summary>Tokens generated so far, those of steps in flight included; the counter of the next random number.</summary>
    public int OutputCount { get; private set; }

    /// <summary>The tokens whose ids are known, kept only for bad words of several tokens.</summary>
    public ReadOnlySpan<int> Output => _output.AsSpan(0, _notedCount);

    /// <summary>logit_bias, clamped.</summary>
    public List<(int TokenId, float Bias)> Biases { get; } = [];

    /// <summary>Some bad word has several tokens, so that what came before decides.</summary>
    public bool KeepsOutput { get; private set; }

    /// <summary>Some penalty is not neutral.</summary>
    public bool HasPenalties { get; private set; }

    /// <summary>Tokens that cannot be chosen are known when the sequence starts: allowed ids, bad words of one token.</summary>
    public bool HasMask { get; private set; }

    /// <summary>Something changes the logits of the next token before it is chosen.</summary>
    public bool AdjustsLogits =>
        HasPenalties || HasMask || KeepsOutput || Biases.Count > 0 || OutputCount < Params!.MinTokens;

    public void Start(SamplingParams sampling, long seed, ReadOnlySpan<int> outputIds)
    {
        Params = sampling;
        Seed = seed;
        OutputCount = outputIds.Length;
        Biases.Clear();
        foreach ((int token, float bias) in sampling.LogitBias ?? NoBias)
        {
            Biases.Add((token, Math.Clamp(bias, -SamplingRules.MaxLogitBias, SamplingRules.MaxLogitBias)));
        }

        HasPenalties = sampling.RepetitionPenalty != 1 || sampling.FrequencyPenalty != 0 || sampling.PresencePenalty != 0;
        HasMask = sampling.AllowedTokenIds is not null;
        KeepsOutput = false;
        foreach (int[] word in sampling.BadWords)
        {
            HasMask |= word.Length == 1;
            KeepsOutput |= word.Length > 1;
        }

        _notedCount = 0;
        if (KeepsOutput)
        {
            EnsureOutput(outputIds.Length);
            outputIds.CopyTo(_output);
            _notedCount = outputIds.Length;
        }
    }

    /// <summary>A token is on its way.</summary>
    public void Advance() => OutputCount++;

    /// <summary>The id of the oldest token on its way is known: <see cref="KeepsOutput"/> only.</summary>
    public void Note(int tokenId)
    {
        EnsureOutput(_notedCount + 1);
        _output[_notedCount++] = tokenId;
    }

    public void Stop() => Params = null;

    private void EnsureOutput(int length)
    {
        if (length > _output.Length)
        {
            Array.Resize(ref _output, Math.Max(length, Math.Max(64, _output.Length * 2)));
        }
    }
}

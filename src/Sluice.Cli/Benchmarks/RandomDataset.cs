namespace Sluice.Cli.Benchmarks;

/// <summary>Prompts of random tokens in exact lengths.</summary>
internal static class RandomDataset
{
    private const int StandardInputLength = 1024;
    private const int StandardOutputLength = 128;

    /// <summary>A shared prefix, then tokens that count on from a random start, as vLLM's data set of this name.</summary>
    public static IReadOnlyList<BenchmarkPrompt> Create(DatasetOptions options, LlmEngine engine, Random random)
    {
        int[] vocabulary = PlainTokens(engine);
        int inputLength = options.InputLength ?? StandardInputLength;
        int outputLength = options.OutputLength ?? StandardOutputLength;
        int[] prefix = RandomTokens(options.PrefixLength ?? 0, vocabulary, random);
        var prompts = new BenchmarkPrompt[options.PromptCount];
        for (int index = 0; index < prompts.Length; index++)
        {
            int length = Spread(inputLength, options.RangeRatio, random);
            int start = random.Next(vocabulary.Length);
            int[] tokens = [.. prefix, .. Enumerable.Range(0, length).Select(position => vocabulary[(start + index + position) % vocabulary.Length])];
            prompts[index] = new BenchmarkPrompt(tokens, Spread(outputLength, options.RangeRatio, random));
        }

        return prompts;
    }

    /// <summary>A few prefixes, each followed by many different endings, in random order.</summary>
    public static IReadOnlyList<BenchmarkPrompt> CreateWithRepeatedPrefixes(DatasetOptions options, LlmEngine engine, Random random)
    {
        int[] vocabulary = PlainTokens(engine);
        int perPrefix = options.PromptCount / options.PrefixCount;
        if (perPrefix == 0)
        {
            throw new UserErrorException($"--num-prompts {options.PromptCount} is less than --prefix-repetition-num-prefixes {options.PrefixCount}.");
        }

        var prompts = new List<BenchmarkPrompt>();
        for (int prefixIndex = 0; prefixIndex < options.PrefixCount; prefixIndex++)
        {
            int[] prefix = RandomTokens(options.RepeatedPrefixLength, vocabulary, random);
            for (int index = 0; index < perPrefix; index++)
            {
                int[] suffix = RandomTokens(options.RepeatedSuffixLength, vocabulary, random);
                prompts.Add(new BenchmarkPrompt([.. prefix, .. suffix], options.RepeatedOutputLength));
            }
        }

        BenchmarkPrompt[] shuffled = [.. prompts];
        random.Shuffle(shuffled);
        return shuffled;
    }

    /// <summary>Random tokens without the control tokens.</summary>
    public static int[] RandomTokens(int count, int[] vocabulary, Random random)
    {
        int[] tokens = new int[count];
        for (int index = 0; index < count; index++)
        {
            tokens[index] = vocabulary[random.Next(vocabulary.Length)];
        }

        return tokens;
    }

    public static int[] PlainTokens(LlmEngine engine) =>
        [.. Enumerable.Range(0, engine.VocabularySize).Where(id => engine.Tokenizer?.IsSpecial(id) != true)];

    private static int Spread(int length, double ratio, Random random) =>
        ratio == 0 ? length : random.Next(Math.Max(1, (int)Math.Floor(length * (1 - ratio))), (int)Math.Ceiling(length * (1 + ratio)) + 1);
}

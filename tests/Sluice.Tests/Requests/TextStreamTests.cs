using Sluice.Requests;
using Sluice.Text;

namespace Sluice.Tests.Requests;

public sealed class TextStreamTests
{
    private const int Eos = 2;

    private static readonly Tokenizer Bundled = Tokenizer.Load(Path.Combine(TestData.Storyteller, "tokenizer.json"));

    private readonly List<int> _aborted = [];

    [Fact]
    public async Task Read_NoStops_GivesTextOfAllTokens()
    {
        int[] ids = Encode("Once upon a time there was a fox.");
        List<TextOutput> outputs = await Read(new(), stream => Feed(stream, 0, ids, FinishReason.Length));
        Assert.Equal("Once upon a time there was a fox.", Text(outputs).TrimStart());
        Assert.Equal(ids, outputs.SelectMany(output => output.TokenIds));
        Assert.Equal(FinishReason.Length, outputs[^1].FinishReason);
        Assert.Empty(_aborted);
    }

    [Theory]
    [InlineData(false, "")]
    [InlineData(true, "<|eos|>")]
    public async Task Read_EndingToken_IsInIdsAndInTextOnlyWhenAskedFor(bool include, string ending)
    {
        int[] ids = [.. Encode("The end"), Eos];
        SamplingParams sampling = new() { IncludeStopString = include };
        List<TextOutput> outputs = await Read(
            sampling, stream => Feed(stream, 0, ids, FinishReason.Stop), new() { SkipSpecialTokens = false });
        Assert.Equal("The end" + ending, Text(outputs).TrimStart());
        Assert.Equal(ids, outputs.SelectMany(output => output.TokenIds));
    }

    [Fact]
    public async Task Read_StopToken_IsNamed()
    {
        int[] ids = Encode("The end");
        List<TextOutput> outputs = await Read(new(), stream => Feed(stream, 0, ids, FinishReason.Stop, stopTokenId: ids[^1]));
        Assert.Equal(ids[^1], outputs[^1].StopTokenId);
        Assert.Equal("The", Text(outputs).Trim());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Read_StopStringOverTokens_EndsThereAndAbortsInTheEngine(bool include)
    {
        int[] ids = Encode("Once upon a time there was a fox. He ran.");
        SamplingParams sampling = new() { StopStrings = ["here wa"], IncludeStopString = include, Logprobs = 0 };
        List<TextOutput> outputs = await Read(sampling, stream => Feed(stream, 0, ids, reason: null));

        Assert.Equal(include ? "Once upon a time there wa" : "Once upon a time t", Text(outputs).TrimStart());
        Assert.Equal([0], _aborted);
        Assert.Equal(FinishReason.Stop, outputs[^1].FinishReason);
        Assert.Equal("here wa", outputs[^1].StopString);

        // The tokens end with the one that completed the stop string, and the logprobs with them.
        int[] kept = outputs.SelectMany(output => output.TokenIds).ToArray();
        Assert.Equal(ids[..kept.Length], kept);
        Assert.Contains("here wa", Bundled.Decode(kept, true));
        Assert.DoesNotContain("here wa", Bundled.Decode(kept.AsSpan(0, kept.Length - 1), true));
        Assert.Equal(kept, outputs.SelectMany(output => output.Logprobs!).Select(logprobs => logprobs.Chosen.TokenId));
    }

    [Fact]
    public async Task Read_StopStringInsideJoinedTokens_DropsTheTokensAfter()
    {
        int[] ids = Encode("Once upon a time there was a fox.");
        SamplingParams sampling = new() { StopStrings = [" time"] };

        // All tokens lie ready before the reader comes, so they arrive as one output.
        List<TextOutput> outputs = await Read(sampling, stream => Feed(stream, 0, ids, FinishReason.Length));
        Assert.Equal("Once upon a", Text(outputs).TrimStart());
        Assert.Equal((FinishReason.Stop, " time"), (outputs[^1].FinishReason, outputs[^1].StopString));
        Assert.True(outputs.Sum(output => output.TokenIds.Count) < ids.Length);
        Assert.Empty(_aborted);
    }

    [Fact]
    public async Task Read_HalfAStopStringAtTheEnd_IsGivenOut()
    {
        int[] ids = Encode("Once upon a time");
        List<TextOutput> outputs = await Read(
            new() { StopStrings = ["time machine"] }, stream => Feed(stream, 0, ids, FinishReason.Length));
        Assert.Equal("Once upon a time", Text(outputs).TrimStart());
        Assert.Null(outputs[^1].StopString);
    }

    [Fact]
    public async Task Read_StopStringBeforeMinTokens_IsOverlooked()
    {
        int[] ids = Encode("a fox and a fox and a fox");
        int tokensOfFirst = Encode("a fox").Length;
        List<TextOutput> outputs = await Read(
            new() { StopStrings = ["fox"], MinTokens = tokensOfFirst }, stream => Feed(stream, 0, ids, FinishReason.Length));
        Assert.Equal("a fox and a ", Text(outputs).TrimStart());
    }

    [Fact]
    public async Task Read_SeveralChoices_AreKeptApart()
    {
        SamplingParams sampling = new() { N = 3, StopStrings = [" dog"] };
        int[][] ids = [Encode("a cat ran"), Encode("a dog ran"), Encode("a fox ran")];
        List<TextOutput> outputs = await Read(sampling, stream =>
        {
            for (int i = 0; i < 3; i++)
            {
                Feed(stream, i, ids[i], i == 1 ? null : FinishReason.Length);
            }
        });
        Assert.Equal(["a cat ran", "a", "a fox ran"], Enumerable.Range(0, 3).Select(i => Text(outputs, i).Trim()));
        Assert.Equal([1], _aborted);
        Assert.Equal(3, outputs.Count(output => output.FinishReason is not null));
    }

    [Fact]
    public async Task Read_NoTokenizer_GivesIdsOnly()
    {
        await using RequestStream tokens = Tokens(new());
        Feed(tokens, 0, [5, 6, Eos], FinishReason.Stop);
        TextOutput output = await First(new TextStream(tokens, null, new(), new()), TestContext.Current.CancellationToken);
        Assert.Equal("", output.Text);
        Assert.Equal([5, 6, Eos], output.TokenIds);
        Assert.Equal(FinishReason.Stop, output.FinishReason);
    }

    [Fact]
    public async Task Constructor_StopStringsWithoutTokenizer_Throws()
    {
        await using RequestStream tokens = Tokens(new());
        var error = Assert.Throws<RequestValidationException>(
            () => new TextStream(tokens, null, new() { StopStrings = ["x"] }, new()));
        Assert.Equal("stop", error.Parameter);
    }

    [Fact]
    public async Task Read_ErrorAndPromptLogprobs_PassThrough()
    {
        List<TextOutput> outputs = await Read(new(), stream =>
        {
            stream.Begin(0, 7, [null, new PositionLogprobs(new TokenLogprob(1, -1, 1), [])]);
            stream.Finish(0, FinishReason.Error, error: "broken");
        });
        TextOutput output = Assert.Single(outputs);
        Assert.Equal((FinishReason.Error, "broken", 7), (output.FinishReason, output.Error, output.CachedTokenCount));
        Assert.Equal(2, output.PromptLogprobs!.Count);
    }

    [Fact]
    public async Task Read_LeftEarly_AbortsTheRest()
    {
        await using RequestStream tokens = Tokens(new());
        Feed(tokens, 0, Encode("Once"), reason: null);
        await First(new TextStream(tokens, Bundled, new(), new()), TestContext.Current.CancellationToken);
        Assert.Equal([-1], _aborted);
    }

    [Fact]
    public async Task Read_Cancelled_ThrowsAndAborts()
    {
        await using RequestStream tokens = Tokens(new());
        using CancellationTokenSource cancellation = new();
        TextStream text = new(tokens, Bundled, new(), new());
        Task<TextOutput> reading = First(text, cancellation.Token);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
        Assert.Contains(-1, _aborted);
    }

    private static int[] Encode(string text) => Bundled.Encode(text, addSpecialTokens: false);

    private static string Text(IEnumerable<TextOutput> outputs, int choice = 0) =>
        string.Concat(outputs.Where(output => output.ChoiceIndex == choice).Select(output => output.Text));

    private static void Feed(RequestStream stream, int choice, int[] ids, FinishReason? reason, int? stopTokenId = null)
    {
        foreach (int id in ids)
        {
            stream.Append(choice, id, new PositionLogprobs(new TokenLogprob(id, -1, 1), []));
        }

        if (reason is FinishReason ended)
        {
            stream.Finish(choice, ended, stopTokenId);
        }
    }

    private static async Task<TextOutput> First(TextStream stream, CancellationToken cancellation)
    {
        await foreach (TextOutput output in stream.WithCancellation(cancellation))
        {
            return output;
        }

        throw new InvalidOperationException("The stream is empty.");
    }

    /// <summary>Ends an aborted choice as the engine does, so that a reader that waits for it comes to an end.</summary>
    private RequestStream Tokens(SamplingParams sampling)
    {
        RequestStream? stream = null;
        stream = new RequestStream("r", sampling.N, Abort, () => { });
        return stream;

        void Abort(int choice)
        {
            _aborted.Add(choice);
            if (choice >= 0)
            {
                stream!.Finish(choice, FinishReason.Abort);
            }
        }
    }

    private async Task<List<TextOutput>> Read(SamplingParams sampling, Action<RequestStream> feed, TextOptions? options = null)
    {
        RequestStream tokens = Tokens(sampling);
        feed(tokens);
        List<TextOutput> outputs = [];
        await foreach (TextOutput output in new TextStream(tokens, Bundled, sampling, options ?? new()))
        {
            outputs.Add(output);
        }

        return outputs;
    }
}

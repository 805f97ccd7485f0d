using CsCheck;
using Sluice.Requests;
using Sluice.Tests.Execution;

namespace Sluice.Tests.Scheduling;

/// <summary>Whatever is asked of the engine and however small it is, answers are right, complete and in order, and nothing is left over.</summary>
public sealed class EngineLoopPropertyTests
{
    private const int RequestLimit = 72; // tokens; 18 blocks, so the smallest pool holds one request

    private static readonly Gen<Shape> Shapes = Gen.Select(
        Gen.Int[18, 120], Gen.Int[8, 48], Gen.Int[1, 8], Gen.Bool, Gen.Bool, Gen.Bool, Gen.OneOf(Gen.Const(0), Gen.Int[1, 60]),
        (blocks, tokens, sequences, async, cache, chunked, swap) =>
            new Shape(blocks, chunked ? tokens : RequestLimit, sequences, async, cache, chunked, swap));

    private static readonly Gen<Work> Works = Gen.Select(
        Gen.Int[1, 40], Gen.Int[0, 5], Gen.Int[1, 30], Gen.Int[1, 3], Gen.Int[0, 3], Gen.Int[0, 40],
        (prompt, family, outputs, choices, salt, abortAfter) => new Work(prompt, family, outputs, choices, salt, abortAfter));

    private static long _swapOuts;

    [Fact]
    public void Submit_AnyMixOfRequestsAndAborts_AnswersAreExactAndNothingIsLeft()
    {
        _swapOuts = 0;
        Gen.Select(Shapes, Works.Array[1, 40]).Sample((shape, works) => RunAsync(shape, works).GetAwaiter().GetResult(), iter: 150, threads: 1);
        Assert.True(_swapOuts > 0, "no sequence was ever swapped");
    }

    private static async Task RunAsync(Shape shape, Work[] works)
    {
        using var engine = new EngineHarness(
            shape.Blocks, shape.Tokens, shape.Sequences, shape.Async, shape.Cache, shape.Chunked, swapBlocks: shape.SwapBlocks,
            deferred: shape.Blocks % 2 == 0);
        await Task.WhenAll(works.Select((work, index) => OneAsync(engine, work, index)));
        await engine.ExpectIdleAsync();
        Assert.Empty(engine.Faults);
        _swapOuts += engine.Loop.Snapshot().SwapOuts;

        long choices = works.Sum(work => work.Choices);
        Assert.Equal(choices, Enum.GetValues<FinishReason>().Sum(reason => engine.Metrics.RequestSuccess(reason).Value));
    }

    private static async Task OneAsync(EngineHarness engine, Work work, int index)
    {
        int[] prompt = [.. Enumerable.Range(0, work.Prompt).Select(i => 10 + ((i * (work.Family + 1)) % 50))];
        GenerationRequest request = EngineHarness.Request(prompt, work.Outputs, $"{index}", index, work.Choices);
        RequestStream stream = engine.Submit(request with { CacheSalt = work.Salt == 0 ? null : $"{work.Salt}" });
        var tokens = new List<int>[work.Choices];
        var ends = new FinishReason?[work.Choices];
        int seen = 0;
        await foreach (TokenOutput output in stream)
        {
            Assert.Null(ends[output.ChoiceIndex]);
            (tokens[output.ChoiceIndex] ??= []).AddRange(output.TokenIds);
            ends[output.ChoiceIndex] = output.FinishReason;
            seen += output.TokenIds.Count;
            if (work.AbortAfter > 0 && seen >= work.AbortAfter)
            {
                stream.Abort(index % work.Choices);
            }
        }

        for (int choice = 0; choice < work.Choices; choice++)
        {
            List<int> expected = EchoModel.Generate(prompt, index + choice, work.Outputs);
            List<int> answer = tokens[choice] ?? [];
            Assert.NotNull(ends[choice]);
            Assert.Equal(expected[..answer.Count], answer);
            Assert.True(answer.Count == expected.Count || ends[choice] == FinishReason.Abort);
        }
    }

    private sealed record Shape(int Blocks, int Tokens, int Sequences, bool Async, bool Cache, bool Chunked, int SwapBlocks);

    private sealed record Work(int Prompt, int Family, int Outputs, int Choices, int Salt, int AbortAfter);
}

using Sluice.Requests;

namespace Sluice.Tests.Execution;

/// <summary>Counts what the whole process allocates, so no other test may run meanwhile.</summary>
[CollectionDefinition(nameof(SteadyDecodeTests), DisableParallelization = true)]
[Collection(nameof(SteadyDecodeTests))]
public sealed class SteadyDecodeTests
{
    [Fact]
    public async Task Submit_SteadyDecode_AllocatesLittle()
    {
        // Engine and stream together: the output object and its id array, and what grows with the sequence.
        const int BytesPerToken = 200;
        const int Streams = 8;
        await using LlmEngine engine = await EngineRun.LoadAsync(new EngineOptions { Model = TestData.Storyteller });
        await DecodeAsync(engine, Streams, 100);
        GC.Collect();
        long before = GC.GetTotalAllocatedBytes(precise: true);
        int tokens = await DecodeAsync(engine, Streams, 400);
        double perToken = (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)tokens;
        Assert.Equal(Streams * 400, tokens);
        Assert.True(perToken <= BytesPerToken, $"{perToken:F0} bytes a token");
    }

    private static async Task<int> DecodeAsync(LlmEngine engine, int streams, int outputs)
    {
        async Task<int> ReadAsync(int index)
        {
            int count = 0;
            var sampling = new SamplingParams { MaxTokens = outputs, IgnoreEos = true, Seed = index };
            await foreach (TokenOutput output in engine.Submit(new GenerationRequest { Id = $"{index}", PromptTokenIds = [1, 2, 3, index], Sampling = sampling }))
            {
                count += output.TokenIds.Count;
            }

            return count;
        }

        return (await Task.WhenAll(Enumerable.Range(0, streams).Select(ReadAsync))).Sum();
    }
}

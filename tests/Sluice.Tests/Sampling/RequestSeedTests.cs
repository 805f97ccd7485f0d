using Sluice.Requests;
using Sluice.Sampling;

namespace Sluice.Tests.Sampling;

public sealed class RequestSeedTests
{
    [Fact]
    public void Of_SeedGiven_AddsTheChoice()
    {
        SamplingParams sampling = new() { Seed = 40 };
        Assert.Equal(42, RequestSeed.Of(sampling, 9, 9, 2));
        Assert.Equal(long.MinValue, RequestSeed.Of(new() { Seed = long.MaxValue }, 0, 0, 1));
    }

    [Fact]
    public void Of_NoSeed_FollowsFromEngineSeedRequestAndChoice()
    {
        foreach (SamplingParams sampling in (SamplingParams[])[new(), new() { Seed = -1 }])
        {
            long seed = RequestSeed.Of(sampling, 1, 2, 3);
            Assert.Equal(seed, RequestSeed.Of(sampling, 1, 2, 3));
            Assert.NotEqual(seed, RequestSeed.Of(sampling, 0, 2, 3));
            Assert.NotEqual(seed, RequestSeed.Of(sampling, 1, 3, 3));
            Assert.NotEqual(seed, RequestSeed.Of(sampling, 1, 2, 4));
        }
    }
}

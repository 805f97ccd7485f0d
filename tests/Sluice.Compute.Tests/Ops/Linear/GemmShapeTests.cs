using Sluice.Compute.Ops.Linear;

namespace Sluice.Compute.Tests.Ops.Linear;

public sealed class GemmShapeTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 4)]
    [InlineData(9, 16)]
    [InlineData(64, 64)]
    [InlineData(65, 96)]
    [InlineData(512, 512)]
    [InlineData(513, 768)]
    [InlineData(769, 1024)]
    [InlineData(1024, 1024)]
    [InlineData(1025, 1536)]
    [InlineData(8191, 8192)]
    [InlineData(8193, 12288)]
    [InlineData(16384, 16384)]
    public void BucketFor_Rows_IsTheSmallestThatHoldsThem(int rows, int bucket) => Assert.Equal(bucket, GemmShape.BucketFor(rows));

    [Fact]
    public void BucketFor_RisingRows_NeverFallsAndAlwaysHolds()
    {
        int last = 0;
        for (int rows = 1; rows < 20_000; rows++)
        {
            int bucket = GemmShape.BucketFor(rows);
            Assert.InRange(bucket, Math.Max(rows, last), rows * 2);
            last = bucket;
        }
    }

    [Theory]
    [InlineData(0x1000, 64, 16)]
    [InlineData(0x1000, 70, 4)]
    [InlineData(0x1002, 64, 2)]
    [InlineData(0x1008, 68, 8)]
    public void AlignmentOf_AddressAndStride_IsWhatEveryRowHas(int address, int stride, int alignment)
        => Assert.Equal(alignment, GemmShape.AlignmentOf(new Tensor(address, DType.BFloat16, 1, 8, stride)));
}

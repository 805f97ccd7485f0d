using Sluice.KvCache;

namespace Sluice.Tests.KvCache;

public sealed class SipHash128Tests
{
    // The first vectors that the authors of SipHash publish for 128 bits of output: key 00 01 .. 0f, input 00 01 .. of rising length.
    [Theory]
    [InlineData(0, "A3817F04BA25A8E66DF67214C7550293")]
    [InlineData(1, "DA87C1D86B99AF44347659119B22FC45")]
    [InlineData(2, "8177228DA4A45DC7FCA38BDEF60AFFE4")]
    public void Compute_PublishedVectors_AreEqual(int length, string expected)
    {
        byte[] input = [.. Enumerable.Range(0, length).Select(i => (byte)i)];
        UInt128 hash = new SipHash128(0x0706050403020100, 0x0f0e0d0c0b0a0908).Compute(input);
        byte[] output = new byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128LittleEndian(output, hash);
        Assert.Equal(expected, Convert.ToHexString(output));
    }

    [Fact]
    public void Compute_OtherSecret_GivesOtherHash()
    {
        byte[] input = new byte[80];
        Assert.NotEqual(SipHash128.CreateRandom().Compute(input), SipHash128.CreateRandom().Compute(input));
    }
}

namespace Sluice.Compute.Ops.Sampling;

/// <summary>
/// Counter-based random numbers, Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC11): a pure
/// function of key and counter, so a draw depends on nothing that happened before it.
/// </summary>
internal static class Philox
{
    private const uint Multiplier0 = 0xD2511F53;
    private const uint Multiplier1 = 0xCD9E8D57;
    private const uint Weyl0 = 0x9E3779B9;
    private const uint Weyl1 = 0xBB67AE85;

    /// <summary>Four words for a 64-bit key and a 128-bit counter.</summary>
    public static (uint X0, uint X1, uint X2, uint X3) Block(uint key0, uint key1, uint x0, uint x1, uint x2, uint x3)
    {
        for (int round = 0; round < 10; round++)
        {
            ulong product0 = (ulong)Multiplier0 * x0;
            ulong product1 = (ulong)Multiplier1 * x2;
            (x0, x1, x2, x3) = ((uint)(product1 >> 32) ^ x1 ^ key0, (uint)product1, (uint)(product0 >> 32) ^ x3 ^ key1, (uint)product0);
            key0 += Weyl0;
            key1 += Weyl1;
        }

        return (x0, x1, x2, x3);
    }

    /// <summary>A number in [0, 1) with 53 random bits.</summary>
    public static double Uniform(uint seedLow, uint seedHigh, uint counter)
    {
        (uint x0, uint x1, _, _) = Block(seedLow, seedHigh, counter, 0, 0, 0);
        ulong bits = ((ulong)x0 << 21) ^ (x1 >> 11);
        return bits * (1.0 / (1L << 53));
    }
}

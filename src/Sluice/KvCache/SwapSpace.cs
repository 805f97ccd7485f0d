namespace Sluice.KvCache;

/// <summary>A block of the cache and the place in host memory that its contents move to or come from.</summary>
/// <param name="DeviceBlock">Block of the cache, in all layers.</param>
/// <param name="HostBlock">Block of the swap space.</param>
internal readonly record struct BlockSwap(int DeviceBlock, int HostBlock);

/// <summary>What it costs to move blocks, and to do without.</summary>
/// <param name="SecondsPerBlock">A block out and back.</param>
/// <param name="SecondsPerToken">A token of a prompt.</param>
internal readonly record struct SwapCosts(double SecondsPerBlock, double SecondsPerToken)
{
    /// <summary>Moving costs nothing.</summary>
    public static SwapCosts AlwaysMove { get; } = new(0, 1);

    /// <summary>True when moving blocks is faster than computing their tokens again.</summary>
    public bool IsMovingCheaper(int blockCount, int tokenCount) => blockCount * SecondsPerBlock < tokenCount * SecondsPerToken;
}

/// <summary>
/// The blocks of host memory that preempted sequences may move to (<c>--swap-space</c>). Its memory is taken in the background, since
/// pinning some GiB takes seconds: until <see cref="Open"/>, which any thread may call once, there are no blocks. The rest is
/// the engine loop's.
/// </summary>
internal sealed class SwapSpace
{
    private volatile BlockPool? _blocks;

    /// <summary>The blocks; none until the memory is there.</summary>
    public BlockPool? Blocks => _blocks;

    public SwapCosts Costs { get; private set; }

    /// <summary>The memory is there.</summary>
    public void Open(int blockCount, SwapCosts costs)
    {
        Costs = costs;
        _blocks = new BlockPool(blockCount, cache: null);
    }
}

using BenchmarkDotNet.Running;
using Sluice.MicroBench;

// "shares": a few minutes, each kernel beside the machine's limits measured in the same second. Else BenchmarkDotNet's own arguments.
if (args is ["shares", ..])
{
    LimitShares.Run(args.Length > 1 ? args[1] : "");
    return;
}

BenchmarkSwitcher.FromAssembly(typeof(LimitShares).Assembly).Run(args);

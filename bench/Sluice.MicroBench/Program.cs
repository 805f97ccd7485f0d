using BenchmarkDotNet.Running;
using Sluice.MicroBench;

// "shares" and "llama" measure kernels and whole steps beside the machine's limits, measured in the same second. All else goes to BenchmarkDotNet.
if (args is ["shares", ..])
{
    LimitShares.Run(args.Length > 1 ? args[1] : "");
    return;
}

if (args is ["llama"])
{
    LlamaSteps.Run();
    return;
}

BenchmarkSwitcher.FromAssembly(typeof(LimitShares).Assembly).Run(args);

using Sluice.Compute.Cuda;

namespace Sluice.Compute.Ops.Attention;

/// <summary>Whole blocks of the cache to pinned host memory and back by one kernel, which reaches the host memory over the bus itself.</summary>
internal static class CopyBlocksCuda
{
    private const int Threads = 256;

    private static readonly KernelDefinition<Args> Kernel = new("Attention/CopyBlocks.cu", "copy_blocks");

    public static void Run(CudaContext context, KvLayer shape, Tensor layers, Tensor copies, bool toHost)
    {
        Guard.RequireShapes(
            layers is { Type: DType.Int32, Columns: LayerAddress.Words, IsContiguous: true }
                && copies is { Type: DType.Int32, Columns: BlockCopy.Words, IsContiguous: true }
                && shape.KeyBlockBytes % 16 == 0 && shape.ValueBlockBytes % 16 == 0,
            "CopyBlocks");
        long units = (long)layers.Rows * copies.Rows;
        if (units == 0)
        {
            return;
        }

        int grid = (int)Math.Min(units, context.Device.MultiprocessorCount);
        Args args = new()
        {
            Layers = layers.Address,
            Copies = copies.Address,
            LayerCount = layers.Rows,
            CopyCount = copies.Rows,
            KeyBytes = checked((int)shape.KeyBlockBytes),
            ValueBytes = checked((int)shape.ValueBlockBytes),
            ToHost = toHost ? 1 : 0,
        };
        context.Launch(Kernel, KernelDefines.None, args, new LaunchShape(grid, Threads));
    }

    private struct Args
    {
        public nint Layers;
        public nint Copies;
        public int LayerCount;
        public int CopyCount;
        public int KeyBytes;
        public int ValueBytes;
        public int ToHost;
    }
}

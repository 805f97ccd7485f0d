using System.Runtime.InteropServices;
using Sluice.Compute.Cpu;

namespace Sluice.Compute.Ops.Attention;

/// <summary>Whole blocks of the cache to other memory and back: copies of a few kilobytes, spread over the threads.</summary>
internal static unsafe class CopyBlocksSimd
{
    public static void Run(CpuContext context, KvLayer shape, Tensor layers, Tensor copies, bool toHost)
    {
        Guard.RequireShapes(
            layers is { Type: DType.Int32, Columns: LayerAddress.Words, IsContiguous: true }
                && copies is { Type: DType.Int32, Columns: BlockCopy.Words, IsContiguous: true },
            "CopyBlocks");
        int units = layers.Rows * copies.Rows;
        if (units == 0)
        {
            return;
        }

        CopyJob job = new()
        {
            Shape = shape,
            Layers = (LayerAddress*)layers.Address,
            LayerCount = layers.Rows,
            Copies = (BlockCopy*)copies.Address,
            ToHost = toHost,
            Units = units,
            Parts = context.PartsFor(units, shape.BlockBytes / sizeof(float)),
        };
        context.Pool.Run(ref job, job.Parts);
    }

    private struct CopyJob : IParallelJob
    {
        public KvLayer Shape;
        public LayerAddress* Layers;
        public int LayerCount;
        public BlockCopy* Copies;
        public bool ToHost;
        public int Units;
        public int Parts;

        public readonly void Execute(int index, int thread)
        {
            (int start, int end) = CpuContext.Range(Units, index, Parts);
            for (int unit = start; unit < end; unit++)
            {
                (int copy, int layer) = Math.DivRem(unit, LayerCount);
                long block = Copies[copy].Block;
                Guard.RequireIndex(block, Shape.BlockCount, "block");
                byte* host = (byte*)Copies[copy].HostAddress + (layer * Shape.BlockBytes);
                Move((byte*)Layers[layer].Keys + (block * Shape.KeyBlockBytes), host, Shape.KeyBlockBytes);
                if (Shape.ValueBlockBytes > 0)
                {
                    Move((byte*)Layers[layer].Values + (block * Shape.ValueBlockBytes), host + Shape.KeyBlockBytes, Shape.ValueBlockBytes);
                }
            }
        }

        private readonly void Move(byte* device, byte* host, long sizeBytes) =>
            NativeMemory.Copy(ToHost ? device : host, ToHost ? host : device, (nuint)sizeBytes);
    }
}

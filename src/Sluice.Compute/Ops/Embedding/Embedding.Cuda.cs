using System.Runtime.InteropServices;
using Sluice.Compute.Cuda;

namespace Sluice.Compute.Ops.Embedding;

/// <summary>Row look-ups on CUDA. Indices come with a step's data on the device: a wrong one reads nothing foreign.</summary>
internal static class EmbeddingCuda
{
    private static readonly KernelDefinition<EmbeddingArgs> EmbeddingKernel = new("Embedding/Embedding.cu", "embedding");
    private static readonly KernelDefinition<GatherArgs> GatherKernel = new("Embedding/GatherRows.cu", "gather_rows");
    private static readonly KernelDefinition<ResolveArgs> ResolveKernel = new("Embedding/ResolveTokenIds.cu", "resolve_token_ids");
    private static readonly DefinesCache<int> VectorDefines = new(static vector => new KernelDefines(("VECTOR", vector)));
    private static readonly DefinesCache<int> UnitDefines = new(static unit => new KernelDefines(("UNIT", unit)));

    /// <summary>output[t] = table[tokenIds[t]] * scale; NaN for an id outside the table.</summary>
    public static void Run(CudaContext context, Tensor output, Weight table, Tensor tokenIds, float scale)
    {
        Guard.RequireShapes(
            output.Columns == table.Columns && output.Rows <= tokenIds.Columns && output.Type == context.ActivationType
                && table.Type == context.ActivationType && tokenIds.Type == DType.Int32,
            "Embedding");
        if (output.Rows == 0)
        {
            return;
        }

        Tensor rows = new(table.Address, table.Type, table.Rows, table.Columns);
        int vector = RowAccess.Allows16(output) && RowAccess.Allows16(rows) ? 8 : 1;
        EmbeddingArgs args = new()
        {
            Output = output.Address,
            Table = table.Address,
            TokenIds = tokenIds.Address,
            OutputStride = output.RowStride,
            Width = output.Columns,
            Vocabulary = table.Rows,
            Scale = scale,
        };
        context.Launch(EmbeddingKernel, VectorDefines.For(vector), args, RowAccess.Grid(output.Rows, output.Columns / vector));
    }

    /// <summary>output[i] = input[rows[i]] of any type; zeros for a row outside the input.</summary>
    public static void GatherRows(CudaContext context, Tensor output, Tensor input, Tensor rows)
    {
        Guard.RequireShapes(
            output.Columns == input.Columns && output.Type == input.Type && output.Rows <= rows.Columns && rows.Type == DType.Int32,
            "GatherRows");
        if (output.Rows == 0)
        {
            return;
        }

        int elementBytes = output.Type.SizeBytes();
        int unitBytes = Math.Min(RowAccess.UnitBytes(output), RowAccess.UnitBytes(input));
        GatherArgs args = new()
        {
            Output = output.Address,
            Input = input.Address,
            Rows = rows.Address,
            OutputStrideBytes = (long)output.RowStride * elementBytes,
            InputStrideBytes = (long)input.RowStride * elementBytes,
            WidthBytes = checked(output.Columns * elementBytes),
            InputRows = input.Rows,
        };
        context.Launch(GatherKernel, UnitDefines.For(unitBytes), args, RowAccess.Grid(output.Rows, args.WidthBytes / unitBytes));
    }

    /// <summary>Replaces -1 - slot by lastSampled[slot].</summary>
    public static void ResolveTokenIds(CudaContext context, Tensor tokenIds, Tensor lastSampled)
    {
        Guard.RequireShapes(tokenIds.Type == DType.Int32 && lastSampled.Type == DType.Int32, "ResolveTokenIds");
        if (tokenIds.Columns == 0)
        {
            return;
        }

        ResolveArgs args = new()
        {
            TokenIds = tokenIds.Address,
            LastSampled = lastSampled.Address,
            Count = tokenIds.Columns,
            Slots = lastSampled.Columns,
        };
        int blocks = (tokenIds.Columns + RowAccess.BlockThreads - 1) / RowAccess.BlockThreads;
        context.Launch(ResolveKernel, KernelDefines.None, args, new LaunchShape(blocks, RowAccess.BlockThreads, IsProgrammatic: true));
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct EmbeddingArgs
    {
        public nint Output;
        public nint Table;
        public nint TokenIds;
        public int OutputStride;
        public int Width;
        public int Vocabulary;
        public float Scale;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct GatherArgs
    {
        public nint Output;
        public nint Input;
        public nint Rows;
        public long OutputStrideBytes;
        public long InputStrideBytes;
        public int WidthBytes;
        public int InputRows;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct ResolveArgs
    {
        public nint TokenIds;
        public nint LastSampled;
        public int Count;
        public int Slots;
    }
}

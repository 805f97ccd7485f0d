using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sluice.Compute.Ops.Activations;
using Sluice.Compute.Ops.Linear;

namespace Sluice.Compute.Ops.Attention;

/// <summary>
/// Attention of a tile of query rows (tokens of one sequence by query heads of one key-value head). Scores and weighted
/// sums are products on the tiles of the linear layer; row r is head r % group of token r / group, the group being the heads of the
/// tile.
/// </summary>
internal unsafe struct AttentionTile
{
    private const int Chunk = PagedAttentionReference.ChunkTokens;
    private const int Partition = PagedAttentionReference.PartitionTokens;
    private const int Lanes = PackedWeight.PanelRows;

    // A row of scores has room for the lanes that the last panel of a chunk stores beyond it (blocks of fewer than 16 tokens).
    private const int ScoreStride = Chunk + Lanes;

    public KvLayout Layer;
    public Layout Scratch;
    public float* Buffer;
    public int* Blocks;
    public AttentionShape Shape;
    public int KvHead;
    public int FirstHead;
    public int FirstPosition;
    public int Group;
    public int Rows;
    public int ValueDim;

    private readonly float* Scores => Buffer + Scratch.Scores;

    /// <summary>Where a thread's scratch buffer holds what, in floats.</summary>
    internal readonly struct Layout
    {
        public Layout(int rows, int keyDim, int valueDim, bool valuesInKeys)
        {
            // A tile may have more rows than are left.
            long padded = rows + Tiles.MaxRows;
            ValueStride = PackedWeight.PanelCount(valueDim) * Lanes;
            Scores = padded * keyDim;
            Part = Scores + (padded * ScoreStride);
            Total = Part + (padded * ValueStride);
            States = Total + (padded * ValueStride);
            TotalStates = States + (rows * PartState.Floats);
            Turned = TotalStates + (rows * PartState.Floats);
            SizeBytes = (Turned + (valuesInKeys ? (long)Chunk * ValueStride : 0)) * sizeof(float);
            SavedValues = rows * ValueStride;
            SavedFloats = SavedValues + (rows * PartState.Floats);
        }

        /// <summary>Floats of the values of a saved partition.</summary>
        public int SavedValues { get; }

        /// <summary>Floats of a saved partition.</summary>
        public int SavedFloats { get; }

        public int ValueStride { get; }

        public long Scores { get; }

        public long Part { get; }

        public long Total { get; }

        public long States { get; }

        public long TotalStates { get; }

        /// <summary>Values of a chunk that were inside of keys: [value / 16][token][16].</summary>
        public long Turned { get; }

        public long SizeBytes { get; }
    }

    /// <summary>Running maximum and sum of a row.</summary>
    private struct PartState
    {
        public const int Floats = 2;

        public float Maximum;
        public float Sum;
    }

    /// <summary>Packs the scaled queries as the tiles read them.</summary>
    public readonly void LoadQueries(Tensor queries)
    {
        for (int first = 0; first < Rows;)
        {
            int tileRows = Tiles.RowsFor(Rows - first);
            float* packed = Buffer + ((long)first * Shape.HeadDim);
            for (int r = 0; r < tileRows; r++)
            {
                // Rows beyond the last repeat it; their results are not stored.
                int row = Math.Min(first + r, Rows - 1);
                float* query = (float*)queries.Address + ((long)(row / Group) * queries.RowStride)
                    + ((long)(FirstHead + (row % Group)) * Shape.HeadDim);
                for (int i = 0; i < Shape.HeadDim; i++)
                {
                    packed[((long)i * tileRows) + r] = query[i] * Shape.Scale;
                }
            }

            first += tileRows;
        }
    }

    /// <summary>Computes everything that the rows see, partition after partition.</summary>
    public readonly void Run<TFormat>()
        where TFormat : unmanaged, IPanelFormat
    {
        ClearTotals();
        for (int partition = FirstPartition; partition < End; partition += Partition)
        {
            RunPartition<TFormat>(partition);
            MergePartition(Buffer + Scratch.Part, Buffer + Scratch.States);
        }
    }

    /// <summary>Position of the first partition that a row sees.</summary>
    public readonly int FirstPartition => FirstVisible(FirstPosition) / Partition * Partition;

    /// <summary>The position after the last row's.</summary>
    public readonly int End => FirstPosition + (Rows / Group);

    /// <summary>Sums, maxima and weighted values of one partition, unscaled: all that a merge needs.</summary>
    public readonly void RunPartition<TFormat>(int partition)
        where TFormat : unmanaged, IPanelFormat
    {
        PartState* states = (PartState*)(Buffer + Scratch.States);
        for (int row = 0; row < Rows; row++)
        {
            states[row] = new PartState { Maximum = float.NegativeInfinity };
        }

        new Span<float>(Buffer + Scratch.Part, Rows * Scratch.ValueStride).Clear();
        int start = FirstVisible(FirstPosition);
        int end = Math.Min(partition + Partition, End);
        int panelTokens = Math.Min(Layer.BlockSize, Lanes);
        for (int chunk = Math.Max(partition, start / Chunk * Chunk); chunk < end; chunk += Chunk)
        {
            int chunkStart = Math.Max(chunk, start / panelTokens * panelTokens);
            int chunkEnd = Math.Min(chunk + Chunk, end);
            ComputeScores<TFormat>(chunk, chunkStart, chunkEnd, panelTokens);
            for (int row = 0; row < Rows; row++)
            {
                Weigh(row, chunk, ref states[row]);
            }

            AddValues<TFormat>(chunk, chunkStart, chunkEnd);
        }
    }

    /// <summary>Copies the result of <see cref="RunPartition"/> for a later <see cref="MergePartition"/>.</summary>
    public readonly void SavePartition(float* values, float* states)
    {
        new ReadOnlySpan<float>(Buffer + Scratch.Part, Rows * Scratch.ValueStride).CopyTo(new Span<float>(values, Rows * Scratch.ValueStride));
        new ReadOnlySpan<float>(Buffer + Scratch.States, Rows * PartState.Floats).CopyTo(new Span<float>(states, Rows * PartState.Floats));
    }

    public readonly void ClearTotals()
    {
        PartState* totals = (PartState*)(Buffer + Scratch.TotalStates);
        for (int row = 0; row < Rows; row++)
        {
            totals[row] = new PartState { Maximum = float.NegativeInfinity };
        }

        new Span<float>(Buffer + Scratch.Total, Rows * Scratch.ValueStride).Clear();
    }

    /// <summary>Adds a partition to the partitions before it.</summary>
    public readonly void MergePartition(float* values, float* states)
    {
        PartState* totals = (PartState*)(Buffer + Scratch.TotalStates);
        for (int row = 0; row < Rows; row++)
        {
            long offset = (long)row * Scratch.ValueStride;
            Merge(values + offset, in ((PartState*)states)[row], Buffer + Scratch.Total + offset, ref totals[row]);
        }
    }

    public readonly void StoreOutput(Tensor output)
    {
        PartState* totals = (PartState*)(Buffer + Scratch.TotalStates);
        for (int row = 0; row < Rows; row++)
        {
            float* total = Buffer + Scratch.Total + ((long)row * Scratch.ValueStride);
            float* result = (float*)output.Address + ((long)(row / Group) * output.RowStride)
                + ((long)(FirstHead + (row % Group)) * ValueDim);
            float sum = totals[row].Sum;
            if (Shape.Sinks.Address != 0)
            {
                sum = AddSink(((float*)Shape.Sinks.Address)[FirstHead + (row % Group)], totals[row], total);
            }

            for (int i = 0; i < ValueDim; i++)
            {
                result[i] = total[i] / sum;
            }
        }
    }

    /// <summary>The sum with the sink's weight added, after bringing the row's values to the larger maximum.</summary>
    private readonly float AddSink(float sink, PartState state, float* total)
    {
        float maximum = ScalarMath.MaxNative(sink, state.Maximum);
        float factor = maximum == state.Maximum ? 1 : ScalarMath.Exp(state.Maximum - maximum);
        Scale(total, factor);
        return (state.Sum * factor) + (sink == maximum ? 1 : ScalarMath.Exp(sink - maximum));
    }

    private readonly int FirstVisible(int position) => Shape.Window > 0 ? Math.Max(0, position - Shape.Window + 1) : 0;

    /// <summary>Scores of all rows for the tokens of a chunk; those that a row does not see are dealt with later.</summary>
    private readonly void ComputeScores<TFormat>(int chunk, int start, int end, int panelTokens)
        where TFormat : unmanaged, IPanelFormat
    {
        TileCall call = new()
        {
            KCount = Shape.HeadDim,
            OutputRowStride = ScoreStride,
            OutputPanelStride = panelTokens,
        };
        int tokensPerStep = Math.Min(2, Tiles.PanelsFor(Tiles.RowsFor(Rows))) * panelTokens;
        for (int token = start; token < end; token += tokensPerStep)
        {
            byte* second = null;
            int panels = 1;
            call.Panel = KeyPanel(token);
            if (tokensPerStep > panelTokens && token + panelTokens < end)
            {
                panels = 2;
                second = KeyPanel(token + panelTokens);
            }

            for (int row = 0; row < Rows;)
            {
                int tileRows = Tiles.RowsFor(Rows - row);
                call.Rows = Math.Min(tileRows, Rows - row);
                call.Input = Buffer + ((long)row * Shape.HeadDim);
                call.Output = Scores + ((long)row * ScoreStride) + (token - chunk);
                call.Panels = panels;
                call.PanelStride = panels == 2 ? (nint)(second - call.Panel) : 0;
                Tiles.Run<TFormat, PackedInput>(in call, tileRows);
                row += tileRows;
            }
        }
    }

    private readonly byte* KeyPanel(int token)
        => Layer.KeyPanel(Blocks[token / Layer.BlockSize], KvHead, token % Layer.BlockSize);

    /// <summary>Turns a row of scores into weights relative to the new running maximum.</summary>
    private readonly void Weigh(int row, int chunk, ref PartState state)
    {
        float* scores = Scores + ((long)row * ScoreStride);
        int position = FirstPosition + (row / Group);
        int start = Math.Max(FirstVisible(position) - chunk, 0);
        int end = Math.Min(position + 1 - chunk, Chunk);
        if (start >= end)
        {
            new Span<float>(scores, Chunk).Clear();
            return;
        }

        if (Shape.SoftCap > 0)
        {
            SoftCapSimd.ApplyRow(scores, Chunk, Shape.SoftCap);
        }

        new Span<float>(scores, start).Fill(float.NegativeInfinity);
        new Span<float>(scores + end, Chunk - end).Fill(float.NegativeInfinity);
        Vector256<float> largest = Vector256.Load(scores);
        for (int i = 8; i < Chunk; i += 8)
        {
            largest = Vector256.MaxNative(largest, Vector256.Load(scores + i));
        }

        float maximum = ScalarMath.MaxNative(VectorMath.Max(largest), state.Maximum);
        if (maximum != state.Maximum)
        {
            float factor = ScalarMath.Exp(state.Maximum - maximum);
            state.Maximum = maximum;
            state.Sum *= factor;
            Scale(Buffer + Scratch.Part + ((long)row * Scratch.ValueStride), factor);
        }

        Vector256<float> maxima = Vector256.Create(maximum);
        Vector256<float> sums = Vector256<float>.Zero;
        for (int i = 0; i < Chunk; i += 8)
        {
            Vector256<float> weights = VectorMath.Exp(Vector256.Load(scores + i) - maxima);
            weights.Store(scores + i);
            sums += weights;
        }

        state.Sum += VectorMath.Sum(sums);
    }

    private readonly void Scale(float* values, float factor)
    {
        Vector256<float> factors = Vector256.Create(factor);
        for (int i = 0; i < Scratch.ValueStride; i += 8)
        {
            (Vector256.Load(values + i) * factors).Store(values + i);
        }
    }

    /// <summary>part += weights * values, token after token.</summary>
    private readonly void AddValues<TFormat>(int chunk, int start, int end)
        where TFormat : unmanaged, IPanelFormat
    {
        TileCall call = new()
        {
            PanelStride = (nint)Layer.ValuePanelBytes,
            OutputRowStride = Scratch.ValueStride,
            OutputPanelStride = Lanes,
            Accumulate = true,
        };
        if (Layer.ValuesInKeys)
        {
            float* turned = Buffer + Scratch.Turned;
            TurnKeys<TFormat>(chunk, start, end, turned);
            call.KCount = end - start;
            call.PanelStride = Chunk * Lanes * sizeof(float);
            AddPanels<Float32Panel>(ref call, (byte*)(turned + ((start - chunk) * Lanes)), start - chunk);
            return;
        }

        for (int token = start; token < end; token += call.KCount)
        {
            int offset = token % Layer.BlockSize;
            call.KCount = Math.Min(Layer.BlockSize - offset, end - token);
            AddPanels<TFormat>(ref call, Layer.ValuePanel(Blocks[token / Layer.BlockSize], KvHead, offset), token - chunk);
        }
    }

    private readonly void AddPanels<TFormat>(ref TileCall call, byte* panels, int firstWeight)
        where TFormat : unmanaged, IPanelFormat
    {
        for (int row = 0; row < Rows;)
        {
            int tileRows = Tiles.RowsFor(Rows - row);
            int tilePanels = Tiles.PanelsFor(tileRows);
            call.Rows = Math.Min(tileRows, Rows - row);
            call.Input = Scores + ((long)row * ScoreStride) + firstWeight;
            for (int panel = 0; panel < Layer.ValuePanels; panel += tilePanels)
            {
                call.Panels = Math.Min(tilePanels, Layer.ValuePanels - panel);
                call.Panel = panels + (panel * call.PanelStride);
                call.Output = Buffer + Scratch.Part + ((long)row * Scratch.ValueStride) + (panel * Lanes);
                Tiles.Run<TFormat, WeightInput>(in call, tileRows);
            }

            row += tileRows;
        }
    }

    // Keys lie token beside token for the scores; the weighted sum wants element beside element. Once for all rows of the tile.
    private readonly void TurnKeys<TFormat>(int chunk, int start, int end, float* turned)
        where TFormat : unmanaged, IPanelFormat
    {
        int panelTokens = Math.Min(Layer.BlockSize, Lanes);
        for (int token = start; token < end; token += panelTokens)
        {
            byte* panel = KeyPanel(token);
            for (int element = 0; element < ValueDim; element += Lanes, panel += Lanes / 2 * TFormat.PairBytes)
            {
                PanelTranspose.Run<TFormat>(panel, panelTokens, turned + (element * Chunk) + ((token - chunk) * Lanes));
            }
        }
    }

    private readonly void Merge(float* part, in PartState state, float* total, ref PartState totalState)
    {
        if (state.Maximum == float.NegativeInfinity && state.Sum == 0)
        {
            // The row sees nothing of this partition.
            return;
        }

        float maximum = ScalarMath.MaxNative(state.Maximum, totalState.Maximum);
        float totalFactor = maximum == totalState.Maximum ? 1 : ScalarMath.Exp(totalState.Maximum - maximum);
        float partFactor = maximum == state.Maximum ? 1 : ScalarMath.Exp(state.Maximum - maximum);
        totalState.Maximum = maximum;
        totalState.Sum = MathF.FusedMultiplyAdd(state.Sum, partFactor, totalState.Sum * totalFactor);
        Vector256<float> totalFactors = Vector256.Create(totalFactor);
        Vector256<float> partFactors = Vector256.Create(partFactor);
        for (int i = 0; i < Scratch.ValueStride; i += 8)
        {
            Vector256.FusedMultiplyAdd(Vector256.Load(part + i), partFactors, Vector256.Load(total + i) * totalFactors).Store(total + i);
        }
    }

    /// <summary>Weights as the scores left them: a row after the other.</summary>
    private readonly struct WeightInput : ITileInput
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static int At(int row, int k, int tileRows) => (row * ScoreStride) + k;
    }
}

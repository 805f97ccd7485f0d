using Sluice.Compute.Ops.Sampling;

namespace Sluice.Compute;

/// <summary>
/// A device and its operations. Names are mathematics, never a model's or a format's name. Every operation only enqueues,
/// in order; <see cref="Download{T}"/> and <see cref="Synchronize"/> wait. A backend is used by one thread at a time; only
/// <see cref="UploadRows"/>, <see cref="AllocateHost"/>, <see cref="Fence.Wait"/> and <see cref="Fence.IsReached"/> may be called by others
/// meanwhile.
/// Activations have type <see cref="ActivationType"/> unless said otherwise; outputs may alias inputs only where said.
/// </summary>
public interface IBackend : IDisposable
{
    /// <summary>What the person who runs the program calls this device, such as <c>cpu</c>.</summary>
    string Name { get; }

    /// <summary>The type of activations: float32 on the CPU.</summary>
    DType ActivationType { get; }

    /// <summary>Tokens a block of the key-value cache when nothing else is asked for.</summary>
    int DefaultBlockSize { get; }

    /// <summary>Memory of the device in bytes, and how much of it is free now.</summary>
    (long TotalBytes, long AvailableBytes) Memory { get; }

    /// <summary>Zeroed device memory for a tensor, rows contiguous. Owned by the backend.</summary>
    Tensor Allocate(int rows, int columns, DType type);

    /// <summary>Gives memory of <see cref="Allocate"/> back before the backend is disposed.</summary>
    void Free(Tensor tensor);

    /// <summary>
    /// Memory for a weight matrix that <see cref="UploadRows"/> fills. Storage: float32, float16, bfloat16, or 8-bit elements with
    /// scales; a GPU stores its <see cref="ActivationType"/> whatever is asked for.
    /// </summary>
    Weight AllocateWeight(int rows, int columns, DType type);

    /// <summary>
    /// Fills rows of a weight from row-major host data, converting <paramref name="sourceType"/> to the weight's type.
    /// Rows may come in any order and in parts, so that fused matrices are filled section by section. May be called from several
    /// threads at once for different rows.
    /// </summary>
    /// <param name="weight">The matrix to fill.</param>
    /// <param name="firstRow">First row that <paramref name="source"/> holds.</param>
    /// <param name="source">Whole rows, little-endian.</param>
    /// <param name="sourceType">
    /// Element type of <paramref name="source"/>. Where the weight has 8-bit elements and the source has not, each row gets a scale of its own.
    /// </param>
    /// <param name="scales">Scales of 8-bit elements; none for 1.</param>
    /// <exception cref="InvalidDataException">A value that the type of the weight cannot hold.</exception>
    void UploadRows(Weight weight, int firstRow, ReadOnlySpan<byte> source, DType sourceType, BlockScales? scales = null);

    /// <summary>
    /// Memory for one layer of the paged cache. Owned by the backend. With <paramref name="valuesInKeys"/> a value is the first
    /// <paramref name="valueDim"/> elements of its key, a multiple of 16, and takes no memory of its own.
    /// </summary>
    KvLayer AllocateKvLayer(
        int blockCount, int blockSize, int heads, int keyDim, int valueDim, DType type, bool valuesInKeys = false);

    /// <summary>
    /// Copies host data into a contiguous tensor, in order with the operations and without waiting for them. The span may be reused on
    /// return.
    /// </summary>
    void Upload<T>(Tensor destination, ReadOnlySpan<T> source)
        where T : unmanaged;

    /// <summary>Waits for all operations before it and copies a contiguous tensor to the host.</summary>
    void Download<T>(Tensor source, Span<T> destination)
        where T : unmanaged;

    /// <summary>
    /// Zeroed memory of the host that the device reaches at full speed: pinned for a GPU. Whoever asks for it disposes it, after the
    /// copies from and to it are done and before the backend is disposed.
    /// </summary>
    HostBuffer AllocateHost(long sizeBytes);

    /// <summary>
    /// Copies rows that follow each other in the buffer into a tensor, whose rows may be strided, in order with the operations and
    /// without waiting: the bytes must stay as they are until a <see cref="Fence"/> that is recorded afterwards is reached.
    /// </summary>
    void UploadAsync(Tensor destination, HostBuffer source, long offsetBytes);

    /// <summary>
    /// Copies a contiguous tensor to the host after all operations before it, without waiting: the bytes are there when a
    /// <see cref="Fence"/> that is recorded afterwards is reached.
    /// </summary>
    void DownloadAsync(Tensor source, HostBuffer destination, long offsetBytes);

    /// <summary>A mark in the order of operations, to be recorded and waited for as often as needed. Disposed by whoever asks for it.</summary>
    Fence CreateFence();

    /// <summary>True when <see cref="Capture"/> works.</summary>
    bool SupportsGraphs { get; }

    /// <summary>
    /// Records the operations that <paramref name="operations"/> enqueues, without running them, to run all at once later as often as
    /// needed. The same operations must have run before, so that memory, code and algorithms are ready. Nothing else may be called
    /// meanwhile than operations on tensors: no uploads, downloads, allocations or waits. Tensors keep their addresses: a later
    /// launch reads what is in them then. Disposed by whoever asks for it.
    /// </summary>
    /// <exception cref="NotSupportedException">The device has no graphs.</exception>
    DeviceGraph Capture(Action operations);

    /// <summary>
    /// Looks at what <paramref name="operations"/> enqueues and starts making, all at once and in the background, what the device needs
    /// for it: compiled kernels. What they compute is undefined, so they are run again for real. A device that needs nothing may skip them.
    /// </summary>
    void Prepare(Action operations);

    /// <summary>Waits until all operations are done.</summary>
    void Synchronize();

    /// <summary>
    /// Token ids of a batch with the ids that are still on the device filled in: where <paramref name="tokenIds"/> holds a
    /// negative value <c>-1 - slot</c>, the id is <paramref name="lastSampled"/>[slot].
    /// </summary>
    /// <param name="tokenIds">int32 [1, tokens], changed in place.</param>
    /// <param name="lastSampled">int32 [1, slots].</param>
    void ResolveTokenIds(Tensor tokenIds, Tensor lastSampled);

    /// <summary>output[t] = table[tokenIds[t]] * scale.</summary>
    void Embedding(Tensor output, Weight table, Tensor tokenIds, float scale);

    /// <summary>
    /// Root mean square norm of each row of <c>groups</c> equal parts of the columns:
    /// y = x / sqrt(mean(x^2) + epsilon) * (gain + gainOffset). Output may alias input.
    /// </summary>
    /// <param name="output">[tokens, groups * width].</param>
    /// <param name="input">[tokens, groups * width]; rows may be strided.</param>
    /// <param name="gain">float32 [1, width].</param>
    /// <param name="epsilon">Added to the mean square.</param>
    /// <param name="gainOffset">1 for models that store gain - 1, else 0.</param>
    void RmsNorm(Tensor output, Tensor input, Tensor gain, float epsilon, float gainOffset);

    /// <summary>residual += input; output = RmsNorm(residual).</summary>
    void AddRmsNorm(Tensor output, Tensor residual, Tensor input, Tensor gain, float epsilon, float gainOffset);

    /// <summary>accumulator += input.</summary>
    void Add(Tensor accumulator, Tensor input);

    /// <summary>
    /// output = input * weight^T (+ bias). On the CPU each output element is one fused multiply-add chain over k = 0, 1, 2 ...,
    /// whatever the batch, so that rows do not depend on each other by a single bit.
    /// </summary>
    /// <param name="output">[tokens, outFeatures]; float32 for logits, else the activation type.</param>
    /// <param name="input">[tokens, inFeatures]; rows may be strided.</param>
    /// <param name="weight">[outFeatures, inFeatures].</param>
    /// <param name="bias">float32 [1, outFeatures], or none. The chain starts at zero; the bias is added last.</param>
    void Linear(Tensor output, Tensor input, Weight weight, Tensor? bias);

    /// <summary>
    /// A linear layer of each of <c>groups</c> equal parts of the columns by itself: the matrix has one block a group on its diagonal.
    /// A group of the input is [x | rest], and of the output [x * block^T | rest]: what a group has beyond the block's columns is copied
    /// behind the results. Each output element is one chain as in <see cref="Linear"/>.
    /// </summary>
    /// <param name="output">[tokens, groups * (blockRows + rest)]; rows may be strided.</param>
    /// <param name="input">[tokens, groups * (blockColumns + rest)]; rows may be strided.</param>
    /// <param name="weight">The blocks below each other: [groups * blockRows, blockColumns]; blockRows is a multiple of 16.</param>
    /// <param name="groups">Number of blocks.</param>
    void BlockDiagonalLinear(Tensor output, Tensor input, Weight weight, int groups);

    /// <summary>
    /// Norms each head of queries and keys where a model asks for it, rotates <see cref="RotaryTable.RotaryDim"/> elements of
    /// the head in pairs as the table says, and writes the rotated keys and the values into the cache.
    /// </summary>
    /// <param name="queries">[tokens, heads * keyDim], changed in place; rows may be strided. May have no columns.</param>
    /// <param name="keys">[tokens, kvHeads * keyDim]; rows may be strided. What it holds afterwards is not defined.</param>
    /// <param name="values">[tokens, kvHeads * valueDim]; rows may be strided. No columns where the layer's values are in its keys.</param>
    /// <param name="positions">int32 [1, tokens]; not read where nothing is rotated.</param>
    /// <param name="table">Cosines and sines by position; a rotaryDim of 0 rotates nothing.</param>
    /// <param name="layer">The cache.</param>
    /// <param name="slots">int32 [1, tokens]: where each token's key and value go.</param>
    /// <param name="norms">Norms of the heads, before the rotation; none for most models.</param>
    void RotateAndWriteKv(
        Tensor queries, Tensor keys, Tensor values, Tensor positions, RotaryTable table, KvLayer layer, Tensor slots, HeadNorms? norms = null);

    /// <summary>
    /// Copies whole blocks of the cache to host memory or back, in all layers at once. Nothing may be written twice. The host memory is
    /// in use until a <see cref="Fence"/> that is recorded afterwards is reached.
    /// </summary>
    /// <param name="shape">Any of the layers: all have the same shape and type.</param>
    /// <param name="layers">int32 [layers, <see cref="LayerAddress.Words"/>]: a <see cref="LayerAddress"/> for each layer.</param>
    /// <param name="copies">int32 [copies, <see cref="BlockCopy.Words"/>]: <see cref="BlockCopy"/>s; places in memory of <see cref="AllocateHost"/>.</param>
    /// <param name="toHost">From the cache to the host, or back.</param>
    void CopyBlocks(KvLayer shape, Tensor layers, Tensor copies, bool toHost);

    /// <summary>
    /// Causal attention of a mixed batch (prefill chunks and decodes) over the paged cache, read in place through the block tables.
    /// </summary>
    /// <param name="output">[tokens, heads * valueDim].</param>
    /// <param name="queries">[tokens, heads * headDim]; rows may be strided.</param>
    /// <param name="layer">The cache with this step's keys and values already written.</param>
    /// <param name="plan">Rows, contexts and block tables.</param>
    /// <param name="shape">Heads, scale, window, cap.</param>
    void PagedAttention(Tensor output, Tensor queries, KvLayer layer, AttentionPlan plan, AttentionShape shape);

    /// <summary>output = f(gateUp[:, :width]) * gateUp[:, width:], or what <see cref="Activation"/> says instead.</summary>
    /// <param name="output">[tokens, width].</param>
    /// <param name="gateUp">[tokens, 2 * width].</param>
    /// <param name="activation">f.</param>
    void GatedActivation(Tensor output, Tensor gateUp, Activation activation);

    /// <summary>Chooses experts for each token and weighs them, as <see cref="Routing"/> says.</summary>
    /// <param name="experts">int32 [tokens, chosenExperts]: numbers of the chosen, the best first.</param>
    /// <param name="weights">float32 [tokens, chosenExperts].</param>
    /// <param name="logits">float32 [tokens, experts].</param>
    /// <param name="correction">float32 [1, experts]: added to the scores for the choice, not for the weights. Or none.</param>
    /// <param name="routing">The rule.</param>
    void Route(Tensor experts, Tensor weights, Tensor logits, Tensor? correction, Routing routing);

    /// <summary>
    /// <see cref="Linear"/> with the matrix of a chosen expert for each row: output[r] = input[r / n] * weights[experts[r]]^T (+
    /// bias[experts[r]]), where n output rows share an input row. Only the matrices of chosen experts are read. On the CPU with the same
    /// chains as in <see cref="Linear"/>: rows do not depend on each other.
    /// </summary>
    /// <param name="output">[tokens * chosenExperts, outFeatures].</param>
    /// <param name="input">[tokens, inFeatures], or [tokens * chosenExperts, inFeatures]; rows may be strided.</param>
    /// <param name="weights">[outFeatures, inFeatures] for each expert.</param>
    /// <param name="bias">float32 [experts, outFeatures], or none.</param>
    /// <param name="experts">int32 [tokens, chosenExperts], from <see cref="Route"/>.</param>
    void ExpertLinear(Tensor output, Tensor input, ExpertWeights weights, Tensor? bias, Tensor experts);

    /// <summary>output[t] = sum over j of weights[t, j] * input[t * n + j], added to what is in the output if that is asked for.</summary>
    /// <param name="output">[tokens, width].</param>
    /// <param name="input">[tokens * n, width].</param>
    /// <param name="weights">float32 [tokens, n].</param>
    /// <param name="accumulate">The sum starts at the output's present value, else at zero.</param>
    void WeightedSum(Tensor output, Tensor input, Tensor weights, bool accumulate);

    /// <summary>output[i] = input[rows[i]].</summary>
    void GatherRows(Tensor output, Tensor input, Tensor rows);

    /// <summary>x = cap * tanh(x / cap) in place.</summary>
    void SoftCap(Tensor values, float cap);

    /// <summary>
    /// Changes each row of logits before a token is chosen, in this order: tokens outside the row's mask get negative
    /// infinity, edits are added, then penalties: the repetition penalty divides positive and multiplies other logits of tokens in
    /// the prompt or the output, frequency and presence are subtracted for tokens in the output.
    /// </summary>
    /// <param name="logits">float32 [rows, vocabulary], changed in place.</param>
    /// <param name="rows">A <see cref="LogitRow"/> for each row: int32 [rows, <see cref="LogitRow.Words"/>].</param>
    /// <param name="masks">int32 [masks, vocabulary / 32 rounded up]: bit t % 32 of word t / 32 keeps token t. May be empty.</param>
    /// <param name="edits"><see cref="LogitEdit"/>s: int32 [edits, <see cref="LogitEdit.Words"/>]. May be empty.</param>
    /// <param name="counts"><see cref="TokenCount"/>s: int32 [sequences, vocabulary]. May be empty.</param>
    void AdjustLogits(Tensor logits, Tensor rows, Tensor masks, Tensor edits, Tensor counts);

    /// <summary>
    /// Chooses a token for each row: the most likely one (the lowest id of equals), or by chance after temperature, min-p, top-k
    /// and top-p, in this order; equals count in the order of their ids. The random number is a pure function of the row's seed and
    /// counter, so that a choice does not depend on the batch.
    /// </summary>
    /// <param name="tokenIds">
    /// int32 [1, rows]: the tokens; <see cref="SamplingRow.NotFinite"/> or <see cref="SamplingRow.NothingPossible"/> for a row
    /// without one.
    /// </param>
    /// <param name="logits">float32 [rows, vocabulary]; not changed.</param>
    /// <param name="rows">A <see cref="SamplingRow"/> for each row: int32 [rows, <see cref="SamplingRow.Words"/>].</param>
    /// <param name="lastSampled">int32 [1, slots]: the row's token goes to its slot; 0 for a row without one.</param>
    /// <param name="counts">int32 [sequences, vocabulary]: the row's token is counted as generated. May be empty.</param>
    void SampleTokens(Tensor tokenIds, Tensor logits, Tensor rows, Tensor lastSampled, Tensor counts);

    /// <summary>
    /// The log-softmax of each row at a given token and at the most likely ones, in falling order, equals by the lower id. Nothing is
    /// written for a row whose token is negative; NaN where logits are not finite.
    /// </summary>
    /// <param name="ids">int32 [rows, 1 + top]: the given token first.</param>
    /// <param name="logprobs">float32 [rows, 1 + top].</param>
    /// <param name="ranks">int32 [1, rows]: how many tokens are at least as likely as the given one.</param>
    /// <param name="logits">float32 [rows, vocabulary]; not changed.</param>
    /// <param name="tokenIds">int32 [1, rows].</param>
    void TopLogprobs(Tensor ids, Tensor logprobs, Tensor ranks, Tensor logits, Tensor tokenIds);
}

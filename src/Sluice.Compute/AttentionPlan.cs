namespace Sluice.Compute;

/// <summary>
/// Which rows of a batch attend to which cached tokens; the same for every layer of a step. All tensors are int32.
/// Query row <c>r</c> of sequence <c>s</c> (rows <c>QueryStarts[s]</c> to <c>QueryStarts[s + 1]</c>) stands at position
/// <c>ContextLengths[s] - queryCount(s) + (r - QueryStarts[s])</c> and sees the positions up to and including its own.
/// </summary>
/// <param name="QueryStarts">First row of each sequence, and the total: [1, sequences + 1].</param>
/// <param name="ContextLengths">Cached tokens of each sequence with this step's own included: [1, sequences].</param>
/// <param name="BlockTables">Block numbers of each sequence: [sequences, blocks of the longest].</param>
/// <param name="Positions">Position of each row in its sequence: [1, tokens].</param>
/// <param name="Slots">Cache slot that each row's key and value are written to: [1, tokens].</param>
/// <param name="SequenceCount">Sequences in the batch.</param>
/// <param name="TokenCount">Rows in the batch.</param>
/// <param name="MaxQueryCount">Most rows of one sequence.</param>
/// <param name="MaxContextLength">Longest context.</param>
public readonly record struct AttentionPlan(
    Tensor QueryStarts,
    Tensor ContextLengths,
    Tensor BlockTables,
    Tensor Positions,
    Tensor Slots,
    int SequenceCount,
    int TokenCount,
    int MaxQueryCount,
    int MaxContextLength);

/// <summary>What attention computes in one layer.</summary>
/// <param name="Heads">Query heads.</param>
/// <param name="KvHeads">Key-value heads; divides <paramref name="Heads"/>.</param>
/// <param name="HeadDim">Elements of a query and a key a head.</param>
/// <param name="Scale">Factor of the dot products.</param>
/// <param name="Window">Sliding window in tokens, the query's own included; 0 for all.</param>
/// <param name="SoftCap">Scores become <c>cap * tanh(score / cap)</c>; 0 for none.</param>
/// <param name="Sinks">
/// float32 [1, heads], or none (<c>default</c>): a score a head that counts in the softmax's denominator and weighs no value; neither
/// scaled nor capped.
/// </param>
public readonly record struct AttentionShape(
    int Heads, int KvHeads, int HeadDim, float Scale, int Window, float SoftCap, Tensor Sinks = default);

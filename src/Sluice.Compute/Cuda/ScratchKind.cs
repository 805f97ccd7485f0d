namespace Sluice.Compute.Cuda;

/// <summary>Working memory of operations that stays for good: one piece a kind, shared by all calls, zeroed when it is taken.</summary>
internal enum ScratchKind
{
    /// <summary>Workspace of the GEMM library.</summary>
    Gemm,

    /// <summary>Partial results of attention whose keys are split among blocks of threads.</summary>
    AttentionPartials,

    /// <summary>Counters of arrived partial results; they reset themselves.</summary>
    AttentionCounters,

    /// <summary>Counters of work items that blocks of threads take; they reset themselves.</summary>
    AttentionItems,

    /// <summary>Per-row state of sampling.</summary>
    Sampling,

    /// <summary>Counters and partial results of matrix products whose reduction is split.</summary>
    Linear,
}

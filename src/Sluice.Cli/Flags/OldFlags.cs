using static Sluice.Cli.Flags.FlagRow;

namespace Sluice.Cli.Flags;

/// <summary>Flags that vLLM has dropped and that live on in scripts, charts and blogs.</summary>
internal static class OldFlags
{
    private const string IsDefault = "this is how it works anyway";
    private const string AnyLength = "a CUDA graph holds for contexts of every length";
    private const string NoEffect = "the scheduler here has no such setting";

    public static IReadOnlyList<Flag> Rows { get; } =
    [
        .. Group("Older flags", [.. NotNeededRows().Concat(NotYetRows()).Concat(UsedRows()).Select(flag => flag with { IsOld = true })]),
    ];

    private static IEnumerable<Flag> UsedRows() =>
    [
        List("cuda-graph-sizes", "One number: the same as --max-cudagraph-capture-size; several: the same as --cudagraph-capture-sizes."),
        Json("rope-scaling", "JSON object; the same as --hf-overrides.rope_scaling."),
        Choice("preemption-mode", "Swap or recompute preempted requests; left out, whichever is measured to be faster.", "the faster", "recompute", "swap"),
        Number("rope-theta", "The same as --hf-overrides.rope_theta.", null, double.Epsilon),
    ];

    private static IEnumerable<Flag> NotNeededRows() =>
    [
        NotNeeded("disable-log-requests", FlagKind.Switch, "No line for each request.", "requests are logged with --enable-log-requests only"),
        NotNeeded("num-scheduler-steps", FlagKind.Integer, "Steps between two schedules.", "each step is scheduled while the one before it runs"),
        NotNeeded("multi-step-stream-outputs", FlagKind.Switch, "Stream between multi-steps.", "every token is streamed when it is there"),
        NotNeeded("use-v2-block-manager", FlagKind.Switch, "Newer block manager.", IsDefault),
        NotNeeded("scheduler-delay-factor", FlagKind.Number, "Wait before a prompt is scheduled.", NoEffect),
        NotNeeded("disable-async-output-proc", FlagKind.Switch, "No overlap of output processing.", "use --no-async-scheduling to turn the overlap off"),
        NotNeeded("max-seq-len-to-capture", FlagKind.Integer, "Longest sequence of a CUDA graph.", AnyLength),
        NotNeeded("max-context-len-to-capture", FlagKind.Integer, "Longest sequence of a CUDA graph.", AnyLength),
        NotNeeded("num-lookahead-slots", FlagKind.Integer, "Slots for speculative tokens.", NoEffect),
        NotNeeded("worker-use-ray", FlagKind.Switch, "Workers in Ray.", "there is one process"),
        NotNeeded("engine-use-ray", FlagKind.Switch, "Engine in Ray.", "there is one process"),
        NotNeeded("calculate-kv-scales", FlagKind.Switch, "Scales of an fp8 KV cache.", "an fp8 KV cache stores keys and values with the scale 1"),
        NotNeeded("guided-decoding-backend", FlagKind.Text, "Grammar library.", "there is no choice of grammar libraries here"),
        NotNeeded("tokenizer-pool-size", FlagKind.Integer, "Tokenizer processes.", "requests are tokenized in parallel threads"),
        NotNeeded("tokenizer-pool-type", FlagKind.Text, "Kind of tokenizer processes.", "requests are tokenized in parallel threads"),
        NotNeeded("tokenizer-pool-extra-config", FlagKind.Json, "Settings of tokenizer processes.", "requests are tokenized in parallel threads"),
        NotNeeded("disable-mm-preprocessor-cache", FlagKind.Switch, "No cache of images.", "the models here read text only"),
        NotNeeded("max-num-partial-prefills", FlagKind.Integer, "Prompts in chunks at a time.", "every step takes as many prompts as its token budget holds"),
        NotNeeded("max-long-partial-prefills", FlagKind.Integer, "Long prompts in chunks at a time.", "use --long-prefill-token-threshold"),
        NotNeeded("disable-frontend-multiprocessing", FlagKind.Switch, "Engine and HTTP in one process.", IsDefault),
        NotNeeded("lora-extra-vocab-size", FlagKind.Integer, "Extra vocabulary of LoRA adapters.", "it counts with --enable-lora only"),
        NotNeeded("num-redundant-experts", FlagKind.Integer, "Copies of experts.", "it counts with --enable-eplb only"),
        NotNeeded("eplb-window-size", FlagKind.Integer, "Window of the expert balance.", "it counts with --enable-eplb only"),
        NotNeeded("eplb-step-interval", FlagKind.Integer, "Steps between expert balances.", "it counts with --enable-eplb only"),
        NotNeeded("override-neuron-config", FlagKind.Json, "Settings of AWS Neuron.", "this version runs on NVIDIA GPUs and on CPUs"),
    ];

    private static IEnumerable<Flag> NotYetRows() =>
    [
        NotYet("task", FlagKind.Text, "generate or a pooling task.", "auto", "generate"),
        NotYet("enable-reasoning", FlagKind.Switch, "Split thinking off.", "false").Hint("give --reasoning-parser alone: deepseek_r1 or qwen3").In(FlagScope.Serve),
        NotYet("speculative-model", FlagKind.Text, "Draft model."),
        NotYet("num-speculative-tokens", FlagKind.Integer, "Tokens a draft.", "0"),
        NotYet("ngram-prompt-lookup-min", FlagKind.Integer, "Shortest n-gram of a draft.", "0"),
        NotYet("ngram-prompt-lookup-max", FlagKind.Integer, "Longest n-gram of a draft.", "0"),
        NotYet("speculative-draft-tensor-parallel-size", FlagKind.Integer, "Devices of the draft model.", "1"),
        NotYet("speculative-disable-by-batch-size", FlagKind.Integer, "Batch without drafts."),
        NotYet("quantization-param-path", FlagKind.Text, "File with KV scales."),
        NotYet("logits-processor-pattern", FlagKind.Text, "Logits processors of requests."),
        NotYet("enable-prompt-adapter", FlagKind.Switch, "Prompt adapters.", "false"),
        NotYet("max-prompt-adapters", FlagKind.Integer, "Prompt adapters a batch.", "1"),
        NotYet("long-lora-scaling-factors", FlagKind.Text, "Long LoRA."),
        NotYet("enable-lora-bias", FlagKind.Switch, "LoRA with bias.", "false"),
        NotYet("qlora-adapter-name-or-path", FlagKind.Text, "QLoRA adapter."),
        NotYet("override-pooler-config", FlagKind.Json, "Settings of pooling.", "{}"),
    ];
}

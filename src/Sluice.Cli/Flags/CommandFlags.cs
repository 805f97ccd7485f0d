using static Sluice.Cli.Flags.FlagRow;

namespace Sluice.Cli.Flags;

/// <summary>Flags of the commands besides <c>serve</c>.</summary>
internal static class CommandFlags
{
    public static IReadOnlyList<Flag> Rows { get; } =
    [
        .. Group(
            "Client",
            String("url", "Server to talk to.", "http://localhost:8000/v1").In(FlagScope.Clients),
            String("model-name", "Model to ask for.", "the server's first").In(FlagScope.Clients),
            String("quick", "Send this one message, print the answer and end.").As("-q").In(FlagScope.Clients),
            Switch("stats", "Print time to first token and tokens a second after each answer.").In(FlagScope.Clients),
            String("system-prompt", "System message before the conversation.").In(FlagScope.Chat),
            Integer("max-tokens", "Most tokens of an answer.", null, 1).In(FlagScope.Clients)),
        .. Group(
            "Kernel cache",
            String("arch", "Kinds of GPU to compile for, by compute capability, several with commas: 80 (A100), 86 (A10, RTX 30), 89 (L4, L40S, RTX 40), 90 (H100, H200), 100 and above.", "the machine's own").In(FlagScope.Warm)),
        .. Group(
            "Benchmark",
            String("output-json", "File for the results as JSON.").In(FlagScope.Benchmarks),
            Integer("input-len", "Tokens a prompt.", "32 (latency), 1024 (random), 550 (sonnet)", 1).As("--random-input-len", "--sonnet-input-len").In(FlagScope.Benchmarks),
            Integer("output-len", "Tokens an answer.", "128 (latency, random), 150 (sonnet), 256 (custom), the data set's own (sharegpt)", 1)
                .As("--random-output-len", "--sharegpt-output-len", "--sonnet-output-len", "--custom-output-len").In(FlagScope.Benchmarks),
            Integer("n", "Answers a prompt.", "1", 1).In(FlagScope.Benchmarks),
            Switch("disable-detokenize", "Leave answers as token ids.").In(FlagScope.Benchmarks),
            Integer("batch-size", "Prompts at a time.", "8", 1).In(FlagScope.Latency),
            Integer("num-iters-warmup", "Rounds before measuring.", "10").In(FlagScope.Latency),
            Integer("num-iters", "Measured rounds.", "30", 1).In(FlagScope.Latency),
            Choice("backend", "The engine to measure.", "vllm", "vllm", "vllm-chat", "sluice").Later("hf", "mii").In(FlagScope.Throughput),
            Choice("dataset-name", "Source of prompts.", "sharegpt with a path, else random", "sharegpt", "random", "sonnet", "prefix_repetition", "custom")
                .Later("hf", "burstgpt", "random-mm", "random-rerank", "spec_bench", "speed_bench", "timed_trace").In(FlagScope.Throughput),
            String("dataset-path", "File of the data set.").In(FlagScope.Throughput),
            Integer("num-prompts", "Prompts.", "1000", 1).In(FlagScope.Throughput),
            Integer("num-warmups", "Prompts before measuring.", "0").In(FlagScope.Throughput),
            Integer("prefix-len", "Tokens that all prompts of random and sonnet share.", "0 (random), 200 (sonnet)").As("--random-prefix-len", "--sonnet-prefix-len").In(FlagScope.Throughput),
            Number("random-range-ratio", "Spread of the random data set's lengths: each is drawn from length*(1-ratio) to length*(1+ratio).", "0", 0, 0.999999).In(FlagScope.Throughput),
            Integer("prefix-repetition-prefix-len", "Tokens of each shared prefix.", "256", 1).In(FlagScope.Throughput),
            Integer("prefix-repetition-suffix-len", "Tokens after each shared prefix.", "256", 1).In(FlagScope.Throughput),
            Integer("prefix-repetition-num-prefixes", "Different prefixes.", "10", 1).In(FlagScope.Throughput),
            Integer("prefix-repetition-output-len", "Tokens an answer.", "128", 1).In(FlagScope.Throughput)),
        .. Group(
            "Benchmark",
            Switch("json", "Print the results as JSON.").In(FlagScope.Machine),
            Integer("rounds", "Measurements of each limit; the best counts.", "5", 1, 1000).In(FlagScope.Machine)),
        .. Group(
            "Older flags",
            String("dataset", "The same as --dataset-path, with the sharegpt data set.").In(FlagScope.Throughput) with { IsOld = true },
            NotYet("hf-max-batch-size", FlagKind.Integer, "Batch of the hf backend.").In(FlagScope.Throughput) with { IsOld = true },
            NotYet("use-beam-search", FlagKind.Switch, "Beam search.", "false").In(FlagScope.Benchmarks) with { IsOld = true }),
        .. Group(
            "Accepted, not needed",
            NotNeeded("async-engine", FlagKind.Switch, "Measure the asynchronous engine.", "there is one engine, and it is asynchronous").In(FlagScope.Throughput),
            NotNeeded("prequeue-requests", FlagKind.Switch, "Queue all prompts before the first step.", "all prompts are queued at once anyway").In(FlagScope.Throughput),
            NotNeeded("disable-tqdm", FlagKind.Switch, "No progress bar.", "there is no progress bar when the output is not a terminal").In(FlagScope.Benchmarks)),
        .. Group(
            "Not supported yet",
            NotYet("lora-path", FlagKind.Text, "LoRA adapter.").In(FlagScope.Throughput),
            NotYet("hf-subset", FlagKind.Text, "Part of a Hugging Face data set.").In(FlagScope.Throughput),
            NotYet("hf-split", FlagKind.Text, "Split of a Hugging Face data set.").In(FlagScope.Throughput),
            NotYet("profile", FlagKind.Switch, "Profile the run.", "false").In(FlagScope.Benchmarks)),
    ];
}

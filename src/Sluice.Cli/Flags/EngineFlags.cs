using static Sluice.Cli.Flags.FlagRow;

namespace Sluice.Cli.Flags;

/// <summary>Flags of the engine that this version follows; <see cref="EngineOptionsBinder"/> reads them.</summary>
internal static class EngineFlags
{
    public static IReadOnlyList<Flag> Rows { get; } =
    [
        .. Group(
            "Model",
            String("model", "Folder of the model (config.json, safetensors, tokenizer.json), or the name of one in the Hugging Face cache.", "the bundled storyteller"),
            String("revision", "Branch, tag or commit of a model in the Hugging Face cache.", "main"),
            String("download-dir", "Folder of the Hugging Face cache.", "$HF_HOME/hub"),
            String("tokenizer", "Folder or tokenizer.json of the tokenizer, when it is not the model's own."),
            Choice("tokenizer-mode", "Every tokenizer.json is read by the built-in tokenizer.", "auto", "auto", "hf", "slow", "fast")
                .Later("mistral", "deepseek_v32", "deepseek_v4", "custom"),
            Switch("skip-tokenizer-init", "Serve token ids only."),
            Choice("dtype", "Type in which weights are kept; auto for the stored one. Quantized weights stay quantized.", "auto", "auto", "half", "float16", "bfloat16", "float", "float32"),
            Choice("quantization", "fp8 makes 8-bit floats of the weights of linear layers while they are loaded, each output feature with its own scale (CPU only so far). Quantized checkpoints need no flag; their method may be named.", "as the checkpoint", "none", "None", "", "fp8", "fp8_per_channel", "compressed-tensors", "fbgemm_fp8", "modelopt", "mxfp4")
                .Later("fp8_per_tensor", "fp8_per_block", "int8_per_channel_weight_only", "nvfp4_per_token", "mxfp8", "online", "awq", "auto_awq", "awq_marlin", "gptq", "auto_gptq", "gptq_marlin", "fp_quant", "modelopt_fp4", "modelopt_mxfp8", "modelopt_mixed", "gpt_oss_mxfp4", "quark", "inc", "torchao", "experts_int8", "moe_wna16", "humming", "deepseek_v4_fp8", "bitsandbytes", "gguf")
                .As("-q").In(FlagScope.Serve | FlagScope.Benchmarks),
            Choice("load-format", "dummy makes random weights in the shapes of config.json, for benchmarks without a download.", "auto", "auto", "safetensors", "dummy")
                .Later("pt", "npcache", "tensorizer", "runai_streamer", "runai_streamer_sharded", "sharded_state", "mistral", "gguf", "bitsandbytes", "fastsafetensors", "instanttensor", "modelexpress"),
            Json("hf-overrides", "JSON object merged over config.json; also dotted, as --hf-overrides.rope_theta 1e6.", "{}"),
            String("generation-config", "Source of sampling defaults: auto (generation_config.json of the model), vllm (neutral), or a folder.", "auto"),
            Json("override-generation-config", "JSON object merged over generation_config.json; also dotted.", "{}"),
            Integer("seed", "Seed of requests that bring none, and of dummy weights.", "0", long.MinValue, long.MaxValue)),
        .. Group(
            "Context and batching",
            Integer("max-model-len", "Longest prompt and completion together, in tokens; auto or -1 for the longest that the KV memory holds.", "the model's", 1).Word("auto", "-1"),
            Integer("max-num-batched-tokens", "Tokens that one step works on.", "2048; 8192 on a GPU from 70 GiB on, 16384 from 160 GiB on", 1),
            Integer("max-num-seqs", "Sequences that one step works on.", "128 on the CPU, 256 on a GPU, 1024 on one from 70 GiB on", 1),
            Switch("enable-chunked-prefill", "Split long prompts over several steps.", "on"),
            Integer("long-prefill-token-threshold", "Most tokens of one prompt in a step; 0 for no limit of its own.", "0"),
            Choice("scheduling-policy", "Order of waiting requests.", "fcfs", "fcfs", "priority"),
            Switch("async-scheduling", "Schedule the next step while one runs.", "on"),
            Integer("max-logprobs", "Most logprobs that a request may ask for; -1 for the whole vocabulary.", "20", -1),
            Choice("logprobs-mode", "Logprobs are those of the model before penalties and temperature.", "raw_logprobs", "raw_logprobs")
                .Later("processed_logprobs", "raw_logits", "processed_logits")),
        .. Group(
            "KV cache",
            Number("gpu-memory-utilization", "Share of the memory that the engine may take: of all memory of a GPU, of the free memory of a CPU's machine.", "0.92", double.Epsilon, 1),
            Bytes("kv-cache-memory-bytes", "Memory of the KV cache, as 4GiB; wins over --gpu-memory-utilization."),
            Choice("kv-cache-dtype", "Type of the KV cache; auto for that of the activations, on the CPU float32. fp8 (the same as fp8_e4m3) holds twice the tokens on a GPU.", "auto", "auto", "float16", "bfloat16", "float32", "fp8", "fp8_e4m3")
                .Later("fp8_e5m2", "fp8_inc", "fp8_ds_mla"),
            Integer("num-gpu-blocks-override", "Number of KV blocks, whatever memory allows; for tests.", null, 1),
            Number("swap-space", "GiB of host memory that the KV blocks of preempted requests may move to, when that is measured to be faster than to compute them again.", "4 on a GPU (a quarter of the machine's memory at most), 0 on the CPU"),
            Integer("block-size", "Tokens a KV block.", "16", 1, 1024),
            Switch("enable-prefix-caching", "Reuse the KV blocks of equal prefixes.", "on")),
        .. Group(
            "Device",
            Choice("device", "Where the engine runs; auto takes an NVIDIA GPU if there is one, else the CPU. Among several GPUs CUDA_VISIBLE_DEVICES chooses.", "auto", "auto", "cuda", "gpu", "cpu")
                .Later("rocm", "tpu", "xpu", "hpu", "neuron"),
            Switch("enforce-eager", "No CUDA graphs on a GPU: every operation is launched by itself."),
            List("cudagraph-capture-sizes", "Numbers of decoding requests that get a CUDA graph; steps between two sizes use the larger one.", "1, 2, 4, then every 8th to 256, every 16th beyond"),
            Integer("max-cudagraph-capture-size", "Largest of the standard CUDA graph sizes; 0 for no graphs.", "max-num-seqs, at most 512"),
            Switch("batch-invariant", "Results on a GPU that do not depend on the batch by a single bit, at some cost of speed; on the CPU they never do."),
            Integer("cpu-threads", "Worker threads of the CPU backend.", "one a core", 1, 4096).In(FlagScope.Engine | FlagScope.Machine)),
        .. Group(
            "Program",
            String("config", "YAML file of flags, by their long names; flags of the command line win.").In(FlagScope.Engine)),
    ];
}

using static Sluice.Cli.Flags.FlagRow;

namespace Sluice.Cli.Flags;

/// <summary>vLLM's flags that this version has no use for, and those that later versions will fill.</summary>
internal static class GpuFlags
{
    private const string OwnKernels = "there is one kernel for each purpose, and the engine chooses";

    public static IReadOnlyList<Flag> Rows { get; } =
    [
        .. Group(
            "Accepted, not needed",
            NotNeeded("trust-remote-code", FlagKind.Switch, "Run Python code of the model folder.", "models are part of this program; nothing from a model folder is executed"),
            NotNeeded("hf-token", FlagKind.Text, "Key of the Hugging Face hub.", "models are read from local folders; nothing is downloaded"),
            NotNeeded("language-model-only", FlagKind.Switch, "No images, audio and video.", "the models here read text only"),
            NotNeeded("compilation-config", FlagKind.Json, "Settings of torch.compile.", "nothing is compiled at start-up").As("-cc"),
            NotNeeded("optimization-level", FlagKind.Integer, "Level of torch.compile (-O0 to -O3).", "nothing is compiled at start-up"),
            NotNeeded("performance-mode", FlagKind.Text, "balanced, interactivity or throughput.", "use --max-num-batched-tokens and --max-num-seqs"),
            NotNeeded("attention-backend", FlagKind.Text, "Attention kernel library.", OwnKernels),
            NotNeeded("moe-backend", FlagKind.Text, "Kernels for mixtures of experts.", OwnKernels),
            NotNeeded("linear-backend", FlagKind.Text, "Kernels for matrix products.", OwnKernels),
            NotNeeded("disable-custom-all-reduce", FlagKind.Switch, "Use NCCL alone.", "it counts with several GPUs only"),
            NotNeeded("disable-cascade-attn", FlagKind.Switch, "No cascade attention.", "cascade attention is not used"),
            NotNeeded("safetensors-load-strategy", FlagKind.Text, "How weight files are read.", "weight files are read in parallel, straight into buffers that the device copies from"),
            NotNeeded("model-loader-extra-config", FlagKind.Json, "Settings of a model loader.", "the built-in loader has no settings"),
            NotNeeded("max-parallel-loading-workers", FlagKind.Integer, "Parallel loading.", "weight files are read in parallel, straight into buffers that the device copies from"),
            NotNeeded("use-tqdm-on-load", FlagKind.Switch, "Progress bar while loading.", "a terminal always gets one"),
            NotNeeded("structured-outputs-config", FlagKind.Json, "Grammar backend.", "there is no choice of grammar libraries here"),
            NotNeeded("renderer-num-workers", FlagKind.Integer, "Processes for chat templates.", "there is one process, without a global lock"),
            NotNeeded("api-server-count", FlagKind.Integer, "HTTP server processes.", "there is one process, without a global lock").As("-asc"),
            NotNeeded("distributed-executor-backend", FlagKind.Text, "mp, ray or uni.", "there is one process"),
            NotNeeded("max-loras", FlagKind.Integer, "LoRA adapters a batch.", "it counts with --enable-lora only"),
            NotNeeded("max-lora-rank", FlagKind.Integer, "Largest rank of a LoRA adapter.", "it counts with --enable-lora only"),
            NotNeeded("max-cpu-loras", FlagKind.Integer, "LoRA adapters in host memory.", "it counts with --enable-lora only"),
            NotNeeded("limit-mm-per-prompt", FlagKind.Json, "Images, audio and video a prompt.", "the models here read text only")),
        .. Group(
            "Not supported yet",
            NotYet("cpu-offload-gb", FlagKind.Number, "GiB of weights in host memory, for a GPU.", "0"),
            NotYet("tensor-parallel-size", FlagKind.Integer, "Devices that share each layer.", "1").As("-tp"),
            NotYet("pipeline-parallel-size", FlagKind.Integer, "Devices that share the stack of layers.", "1").As("-pp"),
            NotYet("data-parallel-size", FlagKind.Integer, "Copies of the model.", "1").As("-dp"),
            NotYet("data-parallel-size-local", FlagKind.Integer, "Copies of the model on this machine.", "1").As("-dpl"),
            NotYet("data-parallel-address", FlagKind.Text, "Address of the data-parallel head.", "127.0.0.1").As("-dpa"),
            NotYet("data-parallel-rpc-port", FlagKind.Integer, "Port of the data-parallel head.").As("-dpp"),
            NotYet("enable-expert-parallel", FlagKind.Switch, "Spread experts over devices.", "false").As("-ep"),
            NotYet("all2all-backend", FlagKind.Text, "Exchange between experts.", "allgather_reducescatter"),
            NotYet("enable-eplb", FlagKind.Switch, "Balance experts.", "false"),
            NotYet("eplb-config", FlagKind.Json, "Balance of experts.", "{}"),
            NotYet("nnodes", FlagKind.Integer, "Machines.", "1").As("-n"),
            NotYet("node-rank", FlagKind.Integer, "Number of this machine.", "0").As("-r"),
            NotYet("master-addr", FlagKind.Text, "First machine.", "127.0.0.1", "localhost"),
            NotYet("master-port", FlagKind.Integer, "Port of the first machine.", "29501"),
            NotYet("device-ids", FlagKind.List, "Devices to use."),
            NotYet("tokenizer-revision", FlagKind.Text, "Branch, tag or commit of the tokenizer.", "main"),
            NotYet("quantization-config", FlagKind.Json, "Settings of the quantisation.", "{}"),
            NotYet("enable-lora", FlagKind.Switch, "LoRA adapters.", "false"),
            NotYet("lora-modules", FlagKind.List, "LoRA adapters to load."),
            NotYet("speculative-config", FlagKind.Json, "Speculative decoding.", "{}").As("-sc"),
            NotYet("spec-method", FlagKind.Text, "Method of speculative decoding."),
            NotYet("spec-model", FlagKind.Text, "Draft model of speculative decoding."),
            NotYet("spec-tokens", FlagKind.Integer, "Tokens a draft.", "0"),
            NotYet("kv-transfer-config", FlagKind.Json, "Exchange of KV caches between servers.", "{}"),
            NotYet("kv-offloading-size", FlagKind.Number, "GiB of host memory for KV blocks.", "0"),
            NotYet("runner", FlagKind.Text, "generate or pooling.", "auto", "generate"),
            NotYet("convert", FlagKind.Text, "Turn a generator into an embedder.", "auto", "none")),
    ];
}

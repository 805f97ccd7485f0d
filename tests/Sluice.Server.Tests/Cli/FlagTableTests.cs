using Sluice.Cli.Flags;

namespace Sluice.Server.Tests.Cli;

public sealed class FlagTableTests
{
    // anchors: the flags that vLLM's documentation and users name most; every one must parse.
    private const string StarredFlags =
        "model tokenizer tokenizer-mode trust-remote-code dtype seed revision tokenizer-revision hf-token download-dir max-model-len quantization "
        + "quantization-config enforce-eager max-logprobs logprobs-mode skip-tokenizer-init served-model-name hf-overrides generation-config "
        + "override-generation-config enable-sleep-mode load-format safetensors-load-strategy model-loader-extra-config attention-backend reasoning-parser "
        + "distributed-executor-backend pipeline-parallel-size master-addr master-port nnodes node-rank device-ids tensor-parallel-size data-parallel-size "
        + "data-parallel-size-local data-parallel-address data-parallel-rpc-port data-parallel-start-rank data-parallel-backend enable-expert-parallel "
        + "all2all-backend enable-eplb eplb-config disable-custom-all-reduce block-size gpu-memory-utilization kv-cache-memory-bytes kv-cache-dtype "
        + "num-gpu-blocks-override enable-prefix-caching kv-offloading-size kv-offloading-backend cpu-offload-gb swap-space max-num-batched-tokens "
        + "max-num-seqs enable-chunked-prefill long-prefill-token-threshold scheduling-policy async-scheduling stream-interval enable-lora max-loras "
        + "max-lora-rank max-cpu-loras lora-modules limit-mm-per-prompt otlp-traces-endpoint collect-detailed-traces cudagraph-capture-sizes "
        + "max-cudagraph-capture-size moe-backend linear-backend speculative-config spec-method spec-model spec-tokens kv-transfer-config "
        + "compilation-config structured-outputs-config optimization-level performance-mode disable-log-stats shutdown-timeout enable-auto-tool-choice "
        + "tool-call-parser chat-template chat-template-content-format default-chat-template-kwargs host port uds api-key ssl-keyfile ssl-certfile root-path "
        + "allowed-origins middleware enable-log-requests max-log-len uvicorn-log-level disable-uvicorn-access-log enable-log-outputs "
        + "enable-prompt-tokens-details enable-force-include-usage enable-server-load-tracking enable-request-id-headers api-server-count headless grpc config "
        // gone from vLLM, alive in scripts
        + "disable-log-requests task device num-scheduler-steps multi-step-stream-outputs use-v2-block-manager preemption-mode scheduler-delay-factor "
        + "disable-async-output-proc max-seq-len-to-capture max-context-len-to-capture cuda-graph-sizes enable-reasoning guided-decoding-backend rope-scaling "
        + "rope-theta speculative-model num-speculative-tokens ngram-prompt-lookup-min ngram-prompt-lookup-max speculative-draft-tensor-parallel-size "
        + "speculative-disable-by-batch-size num-lookahead-slots worker-use-ray engine-use-ray quantization-param-path calculate-kv-scales "
        + "logits-processor-pattern enable-prompt-adapter max-prompt-adapters lora-extra-vocab-size long-lora-scaling-factors enable-lora-bias "
        + "qlora-adapter-name-or-path tokenizer-pool-size tokenizer-pool-type disable-mm-preprocessor-cache max-num-partial-prefills "
        + "max-long-partial-prefills override-pooler-config override-neuron-config disable-frontend-multiprocessing num-redundant-experts eplb-window-size "
        + "eplb-step-interval";

    [Fact]
    public void Table_StarredFlags_AreAllInServe()
    {
        string[] missing = [.. StarredFlags.Split(' ').Where(name => FlagTable.Find(name) is not { } flag || !flag.Scope.HasFlag(FlagScope.Serve))];
        Assert.Empty(missing);
    }

    [Fact]
    public void Table_Rows_AreWellFormed()
    {
        foreach (Flag flag in FlagTable.All)
        {
            Assert.Matches("^[a-z][a-z0-9-]*$", flag.Name);
            Assert.NotEqual("", flag.Group);
            Assert.True(flag.Support != FlagSupport.NotNeeded || flag.Note is { Length: > 0 }, $"{flag.LongName} needs a reason.");
            Assert.True(flag.Support != FlagSupport.Used || flag.Summary.Length > 0, $"{flag.LongName} needs a summary.");
            foreach (string value in flag.Values ?? [])
            {
                FlagCheck.Check(flag, value);
            }
        }
    }

    [Fact]
    public void Table_Spellings_AreUniqueInEachCommand()
    {
        foreach ((_, FlagScope scope) in CommandNames.All)
        {
            Assert.NotEmpty(FlagTable.Spellings(scope));
        }
    }

    /// <summary>A flag that the table calls used must be read by a binder: no dead options.</summary>
    [Fact]
    public void Table_UsedFlagsOfServe_AreAllRead()
    {
        var values = new FlagValues();
        _ = EngineOptionsBinder.Bind(values, "folder");
        _ = ServerOptionsBinder.Bind(values, "name", CommandLineRunner.EmptyEnvironment);
        string[] readByCommand = ["model", "revision", "download-dir", "config"];
        IEnumerable<string> used = FlagTable.Of(FlagScope.Serve).Where(flag => flag.Support == FlagSupport.Used).Select(flag => flag.Name);
        Assert.Empty(used.Except(values.ReadNames).Except(readByCommand));
    }

    [Theory]
    [InlineData("8192", 8192)]
    [InlineData("1k", 1000)]
    [InlineData("1K", 1024)]
    [InlineData("25.6k", 25600)]
    [InlineData("2M", 2097152)]
    [InlineData("-1", -1)]
    public void Integer_HumanForms_Parse(string text, long expected)
    {
        Assert.True(HumanNumber.TryParseInteger(text, out long value));
        Assert.Equal(expected, value);
    }

    [Theory]
    [InlineData("")]
    [InlineData("k")]
    [InlineData("1.5")]
    [InlineData("0.0001k")]
    [InlineData("1e400G")]
    [InlineData("8 192")]
    public void Integer_OtherForms_DoNotParse(string text) => Assert.False(HumanNumber.TryParseInteger(text, out _));

    [Theory]
    [InlineData("4GiB", 4294967296)]
    [InlineData("4gib", null)]
    [InlineData("512MB", 512000000L)]
    [InlineData("1.5GiB", 1610612736L)]
    [InlineData("1024", 1024L)]
    [InlineData("64B", 64L)]
    [InlineData("4G", 4294967296)]
    [InlineData("GiB", null)]
    public void Bytes_Forms_ParseOrNot(string text, long? expected)
    {
        bool parsed = HumanNumber.TryParseBytes(text, out long value);
        Assert.Equal(expected, parsed ? value : null);
    }

    [Theory]
    [InlineData("kitten", "sitting", 3)]
    [InlineData("", "abc", 3)]
    [InlineData("model", "modle", 1)]
    [InlineData("same", "same", 0)]
    public void Distance_Pairs_CountChanges(string left, string right, int expected) => Assert.Equal(expected, NearestName.Distance(left, right));
}

using Sluice.Cli;
using Sluice.Cli.Flags;
using Sluice.Compute;

namespace Sluice.Server.Tests.Cli;

public sealed class FlagBindingTests
{
    [Fact]
    public void Bind_NoFlags_IsTheStandardOptions()
    {
        Assert.Equal(new EngineOptions { Model = "folder" }, FlagReader.Engine());
        ServerOptions server = FlagReader.Server();
        Assert.Equal(["name"], server.ServedModelNames);
        Assert.Equal(new ServerOptions().Port, server.Port);
    }

    [Fact]
    public void Bind_EngineFlags_ReachTheOptions()
    {
        EngineOptions options = FlagReader.Engine(
            "--tokenizer", "t", "--skip-tokenizer-init", "--chat-template", "c", "--device", "cpu", "--dtype", "half", "--kv-cache-dtype", "bfloat16", "--load-format", "dummy",
            "--hf-overrides", "{\"a\":1}", "--max-model-len", "25.6k", "--max-num-batched-tokens", "8K", "--max_num_seqs=7", "--block-size", "32",
            "--kv-cache-memory-bytes", "1.5GiB", "--num-gpu-blocks-override", "9", "--gpu-memory-utilization", "0.5", "--no-enable-prefix-caching",
            "--enable-chunked-prefill", "False", "--long-prefill-token-threshold", "11", "--scheduling-policy", "priority", "--no-async-scheduling",
            "--max-logprobs", "-1", "--seed", "-5", "--cpu-threads", "3", "--generation-config", "vllm", "--override-generation-config.temperature", "0.6",
            "--swap-space", "1.5", "--preemption-mode", "recompute", "--enforce-eager", "--max-cudagraph-capture-size", "64", "--batch-invariant");
        Assert.Equal(
            new EngineOptions
            {
                Model = "folder",
                Tokenizer = "t",
                SkipTokenizerInit = true,
                ChatTemplate = "c",
                Device = DeviceKind.Cpu,
                DType = DType.Float16,
                KvCacheDType = DType.BFloat16,
                LoadFormat = LoadFormat.Dummy,
                HfOverrides = "{\"a\":1}",
                MaxModelLen = 25600,
                MaxNumBatchedTokens = 8192,
                MaxNumSeqs = 7,
                BlockSize = 32,
                KvCacheMemoryBytes = 3L << 29,
                NumGpuBlocksOverride = 9,
                GpuMemoryUtilization = 0.5,
                SwapSpaceGiB = 1.5,
                PreemptionMode = PreemptionMode.Recompute,
                EnforceEager = true,
                MaxCudaGraphCaptureSize = 64,
                BatchInvariant = true,
                EnablePrefixCaching = false,
                EnableChunkedPrefill = false,
                LongPrefillTokenThreshold = 11,
                SchedulingPolicy = SchedulingPolicy.Priority,
                AsyncScheduling = false,
                MaxLogprobs = -1,
                Seed = -5,
                CpuThreads = 3,
                GenerationConfig = "vllm",
                OverrideGenerationConfig = "{\"temperature\":0.6}",
            },
            options);
    }

    [Theory]
    [InlineData("auto", DeviceKind.Auto)]
    [InlineData("cpu", DeviceKind.Cpu)]
    [InlineData("cuda", DeviceKind.Cuda)]
    [InlineData("gpu", DeviceKind.Cuda)]
    public void Bind_Device_IsTheKind(string device, DeviceKind expected) =>
        Assert.Equal(expected, FlagReader.Engine("--device", device).Device);

    [Theory]
    [InlineData("auto", null)]
    [InlineData("fp8", DType.Float8E4M3)]
    [InlineData("fp8_e4m3", DType.Float8E4M3)]
    [InlineData("float16", DType.Float16)]
    public void Bind_KvCacheDType_IsTheType(string name, DType? expected) =>
        Assert.Equal(expected, FlagReader.Engine("--kv-cache-dtype", name).KvCacheDType);

    [Fact]
    public void Bind_GraphSizes_InEverySpelling()
    {
        Assert.Equal([1, 2, 16], FlagReader.Engine("--cudagraph-capture-sizes", "1", "2", "16").CudaGraphCaptureSizes!);
        Assert.Equal([1, 2, 16], FlagReader.Engine("--cudagraph-capture-sizes", "[1,2, 16]").CudaGraphCaptureSizes!);
        Assert.Equal([8, 4], FlagReader.Engine("--cuda-graph-sizes", "8", "4").CudaGraphCaptureSizes!);
        Assert.Equal((null, 256), (FlagReader.Engine("--cuda-graph-sizes", "256").CudaGraphCaptureSizes, FlagReader.Engine("--cuda-graph-sizes", "256").MaxCudaGraphCaptureSize));
        Assert.Contains("'many'", Assert.Throws<UserErrorException>(() => FlagReader.Engine("--cudagraph-capture-sizes", "many")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bind_ServerFlags_ReachTheOptions()
    {
        ServerOptions options = FlagReader.Server(
            "--host", "::1", "--port", "0", "--served-model-name", "a", "b", "--api-key", "k1", "--api-key", "k2", "--root-path", "/x",
            "--allowed-origins", "[\"http://a\"]", "--allow-credentials", "--enable-request-id-headers", "--shutdown-timeout", "2.5",
            "--max-request-size", "1MiB", "--max-connections", "5", "--max-waiting-requests", "6", "--response-role", "bot",
            "--chat-template-content-format", "openai", "--default-chat-template-kwargs.enable_thinking", "False", "--reasoning-parser", "qwen3",
            "--return-tokens-as-token-ids", "--enable-prompt-tokens-details", "--enable-force-include-usage", "--stream-interval", "4",
            "--disable-log-stats", "--log-stats-format", "v0", "--enable-log-requests", "--max-log-len", "100", "--disable-uvicorn-access-log",
            "--show-hidden-metrics-for-version", "0.8", "--trust-request-chat-template", "--exclude-tools-when-tool-choice-none", "--uds", "/tmp/s");
        Assert.Equal(("::1", 0, "/tmp/s", "/x"), (options.Host, options.Port, options.Uds, options.RootPath));
        Assert.Equal(["a", "b"], options.ServedModelNames);
        Assert.Equal(["k1", "k2"], options.ApiKeys);
        Assert.Equal(["http://a"], options.AllowedOrigins);
        Assert.Equal(["*"], options.AllowedMethods);
        Assert.Equal((TimeSpan.FromSeconds(2.5), 1L << 20, 5, 6), (options.ShutdownTimeout, options.MaxRequestBodyBytes, options.MaxConnections, options.MaxWaitingRequests));
        Assert.Equal(("bot", ChatContentFormat.OpenAi, "qwen3", 4), (options.ResponseRole, options.ChatTemplateContentFormat, options.ReasoningParser, options.StreamInterval));
        Assert.False(options.DefaultChatTemplateKwargs!.Value.GetProperty("enable_thinking").GetBoolean());
        Assert.True(options is { AllowCredentials: true, EnableRequestIdHeaders: true, ReturnTokensAsTokenIds: true, EnablePromptTokensDetails: true });
        Assert.True(options is { EnableForceIncludeUsage: true, DisableLogStats: true, LogStatsFormat: StatsLineFormat.V0, EnableLogRequests: true, MaxLogLength: 100 });
        Assert.True(options is { DisableAccessLog: true, ShowHiddenMetrics: true, TrustRequestChatTemplate: true, ExcludeToolsWhenToolChoiceNone: true });
    }

    [Fact]
    public void Bind_Environment_FillsWhatFlagsLeaveOut()
    {
        var variables = new Dictionary<string, string>
        {
            ["VLLM_API_KEY"] = "secret",
            ["VLLM_HOST_IP"] = "10.0.0.1",
            ["VLLM_LOG_STATS_INTERVAL"] = "5",
            ["VLLM_LOGGING_LEVEL"] = "ERROR",
            ["HF_HOME"] = "/hf",
        };
        EnvironmentSettings environment = EnvironmentSettings.Read(variables.GetValueOrDefault);
        ServerOptions options = ServerOptionsBinder.Bind(new FlagValues(), "m", environment);
        Assert.Equal(["secret"], options.ApiKeys);
        Assert.Equal(("10.0.0.1", TimeSpan.FromSeconds(5), true, true), (options.Host, options.LogStatsInterval, options.DisableLogStats, options.DisableAccessLog));
        Assert.Equal("/hf/hub", environment.HuggingFaceCache);
        ServerOptions flagged = ServerOptionsBinder.Bind(FlagReader.Read(FlagScope.Serve, "--api-key", "other").Values, "m", environment);
        Assert.Equal(["other"], flagged.ApiKeys);
    }

    [Fact]
    public void Bind_OldRopeFlags_BecomeOverrides()
    {
        EngineOptions options = FlagReader.Engine("--hf-overrides", "{\"a\":[1,\"x\"]}", "--rope-theta", "1e6", "--rope-scaling.rope_type", "yarn", "--rope-scaling.factor", "4.0");
        Assert.Equal("{\"a\":[1,\"x\"],\"rope_scaling\":{\"factor\":4.0,\"rope_type\":\"yarn\"},\"rope_theta\":1e6}", options.HfOverrides);
    }

    [Fact]
    public void Read_NeedlessFlags_GiveOneLineEach()
    {
        string notes = FlagReader.Read(FlagScope.Serve, "--trust-remote-code", "--attention-backend", "FLASH_ATTN", "--worker-use-ray", "-O3", "-cc.mode=3").Notes;
        string[] lines = notes.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(5, lines.Length);
        Assert.All(lines, line => Assert.Matches("^note: --[a-z-]+ is not needed: .+\\.$", line));
        Assert.Contains("note: --optimization-level is not needed: nothing is compiled at start-up.", lines);
    }

    [Fact]
    public void Read_LastOfSeveral_Wins() => Assert.Equal(2, FlagReader.Engine("--max-num-seqs", "1", "--max-num-seqs", "2").MaxNumSeqs);

    [Fact]
    public void Read_ModelBeforeAndAfterFlags_IsThePositional()
    {
        Assert.Equal("m", FlagReader.Read(FlagScope.Serve, "m", "--enforce-eager").Positional);
        Assert.Equal("m", FlagReader.Read(FlagScope.Serve, "--enforce-eager", "m").Positional);
        Assert.Equal("true", FlagReader.Read(FlagScope.Serve, "--port", "1", "true").Positional);
    }

    [Fact]
    public void Read_ConfigFile_GivesWayToTheCommandLine()
    {
        string path = Path.Combine(Path.GetTempPath(), $"sluice-{Guid.NewGuid():N}.yaml");
        try
        {
            File.WriteAllText(path, """
                # a server
                port: 9000   # the port
                max_model_len: 8k
                served-model-name:
                  - first
                  - "second # name"
                api-key: [k1, 'k2']
                enable-prefix-caching: no
                hf-overrides: {"rope_theta": 1e6}
                allowed-origins: ["http://a", "http://b"]
                chat-template: null
                """);
            string[] words = ["--config", path, "--port", "9001"];
            EngineOptions engine = FlagReader.Engine(words);
            ServerOptions server = FlagReader.Server(words);
            Assert.Equal((8000, false, "{\"rope_theta\": 1e6}", null), (engine.MaxModelLen!.Value, engine.EnablePrefixCaching, engine.HfOverrides, engine.ChatTemplate));
            Assert.Equal(9001, server.Port);
            Assert.Equal(["first", "second # name"], server.ServedModelNames);
            Assert.Equal(["k1", "k2"], server.ApiKeys);
            Assert.Equal(["http://a", "http://b"], server.AllowedOrigins);

            File.WriteAllText(path, "port: 1\n  nested: 2\n");
            UserErrorException mistake = Assert.Throws<UserErrorException>(() => FlagReader.Engine("--config", path));
            Assert.Equal($"--config {path}, line 2: expected 'flag-name: value', found 'nested: 2'", mistake.Message);
        }
        finally
        {
            File.Delete(path);
        }
    }
}

using System.Text.Json;
using Sluice.Cli;
using Sluice.Cli.Commands;

namespace Sluice.Server.Tests.Cli;

/// <summary>The benchmarks' output, as scripts for vLLM read it, from real runs of the bundled model.</summary>
public sealed class BenchCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("sluice-bench-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Throughput_RandomPrompts_PrintsVllmsLinesAndJson()
    {
        string json = Path.Combine(_folder, "result.json");
        (int code, string output, string error) = await CommandLineRunner.RunAsync(
            ["bench", "throughput", "--num-prompts", "3", "--random-input-len", "20", "--output-len", "5", "--output-json", json, "--async-engine"]);
        Assert.True(code == CommandLine.Success, error);
        Assert.Matches(
            @"^Throughput: \d+\.\d\d requests/s, \d+\.\d\d total tokens/s, \d+\.\d\d output tokens/s\nTotal num prompt tokens:  60\nTotal num output tokens:  15\n$", output);
        Assert.Contains("note: --async-engine is not needed", error, StringComparison.Ordinal);
        Assert.Matches(@"The device was idle between steps for \d+\.\d\d % of the time", error);
        using JsonDocument result = JsonDocument.Parse(File.ReadAllText(json));
        Assert.Equal(
            ["elapsed_time", "num_requests", "total_num_tokens", "requests_per_second", "tokens_per_second"],
            result.RootElement.EnumerateObject().Select(member => member.Name));
        Assert.Equal(75, result.RootElement.GetProperty("total_num_tokens").GetInt32());
    }

    [Fact]
    public async Task Throughput_OldScriptFlags_RunAsTheyAre()
    {
        string dataset = Path.Combine(_folder, "sharegpt.json");
        File.WriteAllText(dataset, """
            [{"conversations": [{"from": "human", "value": "Tell me a story about a dog."}, {"from": "gpt", "value": "Once there was a dog."}]},
             {"conversations": [{"from": "human", "value": "only one turn"}]}]
            """);
        (int code, string output, string error) = await CommandLineRunner.RunAsync(
            ["bench", "throughput", "--backend", "vllm", "--dataset", dataset, "--num-prompts", "4", "--output-len", "3", "--seed", "0", "-tp", "1", "--trust-remote-code"]);
        Assert.True(code == CommandLine.Success, error);
        Assert.Contains("Total num output tokens:  12\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Throughput_LinesAndRepeatedPrefixes_GiveTheLengthsAskedFor()
    {
        string dataset = Path.Combine(_folder, "prompts.jsonl");
        File.WriteAllText(dataset, "{\"prompt\": \"One.\", \"output_tokens\": 2}\n\n{\"prompt\": \"Two.\", \"output_tokens\": 3}\n");
        (_, string lines, _) = await CommandLineRunner.RunAsync(["bench", "throughput", "--dataset-name", "custom", "--dataset-path", dataset, "--num-prompts", "5"]);
        Assert.Contains("Total num output tokens:  12\n", lines, StringComparison.Ordinal);

        (_, string prefixes, _) = await CommandLineRunner.RunAsync(
            ["bench", "throughput", "--dataset-name", "prefix_repetition", "--num-prompts", "4", "--prefix-repetition-num-prefixes", "2",
             "--prefix-repetition-prefix-len", "16", "--prefix-repetition-suffix-len", "4", "--prefix-repetition-output-len", "2"]);
        Assert.Contains("Total num prompt tokens:  80\nTotal num output tokens:  8\n", prefixes, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Latency_SmallBatch_PrintsVllmsLinesAndJson()
    {
        string json = Path.Combine(_folder, "result.json");
        (int code, string output, string error) = await CommandLineRunner.RunAsync(
            ["bench", "latency", "--input-len", "8", "--output-len", "4", "--batch-size", "2", "--num-iters-warmup", "1", "--num-iters", "3", "--output-json", json]);
        Assert.True(code == CommandLine.Success, error);
        Assert.Matches(@"^Warming up\.\.\.\nAvg latency: [\d.E-]+ seconds\n(?:\d+% percentile latency: [\d.E-]+ seconds\n){6}$", output);
        using JsonDocument result = JsonDocument.Parse(File.ReadAllText(json));
        Assert.Equal(3, result.RootElement.GetProperty("latencies").GetArrayLength());
        Assert.Equal(["10", "25", "50", "75", "90", "99"], result.RootElement.GetProperty("percentiles").EnumerateObject().Select(member => member.Name));
    }

    [Fact]
    public async Task Machine_Json_HasBothLimits()
    {
        (int code, string output, _) = await CommandLineRunner.RunAsync(["bench", "machine", "--json", "--rounds", "1", "--cpu-threads", "1"]);
        Assert.Equal(CommandLine.Success, code);
        using JsonDocument result = JsonDocument.Parse(output);
        Assert.Equal(1, result.RootElement.GetProperty("threads").GetInt32());
        Assert.True(result.RootElement.GetProperty("read_bytes_per_second").GetDouble() > 0);
        Assert.True(result.RootElement.GetProperty("fma_operations_per_second").GetDouble() > 0);
    }

    [Theory]
    [InlineData("throughput --input-len 600 --num-prompts 1", "600 prompt tokens and 128 output tokens do not fit the context of 512 tokens; lower --input-len, --prefix-len or --output-len.")]
    [InlineData("throughput --dataset-name sonnet", "--dataset-name sonnet needs its file: --dataset-path FILE")]
    [InlineData("throughput --dataset-name hf", "--dataset-name hf is not supported yet: leave it out, or give sharegpt or random or sonnet or prefix_repetition or custom.")]
    [InlineData("throughput --backend hf", "--backend hf is not supported yet: leave it out, or give vllm or vllm-chat or sluice.")]
    [InlineData("latency --use-beam-search", "--use-beam-search is not supported yet: leave it out.")]
    public async Task Run_WhatCannotBeMeasured_SaysWhy(string line, string message)
    {
        (int code, _, string error) = await CommandLineRunner.RunAsync(["bench", .. line.Split(' ')]);
        Assert.EndsWith($"error: {message}\n", error, StringComparison.Ordinal);
        Assert.Equal(CommandLine.UsersMistake, code);
    }

    [Theory]
    [InlineData(50, 2.5)]
    [InlineData(0, 1)]
    [InlineData(100, 4)]
    [InlineData(90, 3.7)]
    public void Percentile_FourValues_LiesBetweenRanks(double percentile, double expected) =>
        Assert.Equal(expected, BenchLatencyCommand.Percentile([4, 1, 3, 2], percentile), precision: 12);
}

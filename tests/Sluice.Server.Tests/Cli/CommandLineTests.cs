using Sluice.Cli;

namespace Sluice.Server.Tests.Cli;

public sealed class CommandLineTests
{
    [Theory]
    [InlineData("--version")]
    [InlineData("-v")]
    public async Task Run_Version_PrintsNameAndVersion(string flag)
    {
        (int code, string output, string error) = await CommandLineRunner.RunAsync([flag]);
        Assert.Equal((CommandLine.Success, $"sluice {ProgramVersion.Text}\n", ""), (code, output, error));
    }

    [Theory]
    [InlineData("")]
    [InlineData("--help")]
    [InlineData("-h")]
    public async Task Run_Help_NamesEveryCommand(string flags)
    {
        (int code, string output, _) = await CommandLineRunner.RunAsync(flags.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(CommandLine.Success, code);
        Assert.All(["serve", "chat", "complete", "bench"], name => Assert.Matches($@"\n  {name}\b", output));
    }

    [Fact]
    public async Task Run_GroupOfCommands_NamesThem()
    {
        (int code, string output, _) = await CommandLineRunner.RunAsync(["bench"]);
        Assert.Equal(CommandLine.Success, code);
        Assert.All(["throughput", "latency", "machine"], name => Assert.Matches($@"\n  {name}\b", output));
    }

    [Fact]
    public async Task Run_HelpWord_ShowsMatchingFlagsOnly()
    {
        (int code, string output, _) = await CommandLineRunner.RunAsync(["serve", "--help=max_num_seqs"]);
        Assert.Equal(CommandLine.Success, code);
        Assert.Contains("--max-num-seqs", output, StringComparison.Ordinal);
        Assert.DoesNotContain("--port", output, StringComparison.Ordinal);
    }

    // Mistakes that people make, with the one line that answers each.
    [Theory]
    [InlineData("srve", "unknown command 'srve': did you mean serve?")]
    [InlineData("--model x", "'--model' comes before any command: write `sluice serve --model x`, or see `sluice --help`.")]
    [InlineData("serve -- model x", "'-- model' has a space too many: write --model.")]
    [InlineData("serve -model x", "unknown flag '-model': write --model, with two dashes.")]
    [InlineData("serve —port 1", "'—port' begins with a long dash, as web pages make of two short ones: write --port.")]
    [InlineData("serve --max-num-seq 3", "unknown flag '--max-num-seq': did you mean --max-num-seqs?")]
    [InlineData("serve --max_modle_len 3", "unknown flag '--max_modle_len': did you mean --max-model-len?")]
    [InlineData("serve --frobnicate", "unknown flag '--frobnicate': `sluice serve --help=all` lists them")]
    [InlineData("serve --batch-size 3", "--batch-size is a flag of sluice bench latency; sluice serve does not take it.")]
    [InlineData("serve --port", "--port needs a value: Port to listen on; 0 for any free one.")]
    [InlineData("serve --port --host x", "--port needs a value: Port to listen on; 0 for any free one.")]
    [InlineData("serve --port 70000", "--port 70000 is out of range: it must be from 0 to 65535.")]
    [InlineData("serve --port abc", "--port 'abc' is not a whole number (8192 and 8k are).")]
    [InlineData("serve --max-num-seqs 0", "--max-num-seqs 0 is out of range: it must be at least 1.")]
    [InlineData("serve --max-model-len long", "--max-model-len 'long' is not a whole number (8192 and 8k are), or auto.")]
    [InlineData("serve --gpu-memory-utilization NaN", "--gpu-memory-utilization 'NaN' is not a number.")]
    [InlineData("serve --gpu-memory-utilization 1.5", "--gpu-memory-utilization 1.5 is out of range: it must be above 0 and at most 1.")]
    [InlineData("serve --kv-cache-memory-bytes lots", "--kv-cache-memory-bytes 'lots' is not a size (4GiB, 512MB and plain bytes are).")]
    [InlineData("serve --dtype bfloat", "--dtype 'bfloat' is not one of auto, half, float16, bfloat16, float, float32; did you mean float?")]
    [InlineData("serve --hf-overrides {", "--hf-overrides is not JSON (at character 2): {")]
    [InlineData("serve --hf-overrides []", "--hf-overrides must be a JSON object, as '{\"name\": 1}'; found [].")]
    [InlineData("serve --allowed-origins *", "--allowed-origins is not JSON (at character 1): *")]
    [InlineData("serve --enforce-eager=maybe", "--enforce-eager is a switch: write --enforce-eager or --no-enforce-eager, not --enforce-eager=maybe.")]
    [InlineData("serve one two", "unexpected word 'two' after `sluice serve`: a value with spaces needs quotes, a flag needs two dashes.")]
    [InlineData("serve port 80", "unexpected word 'port': did you mean the flag --port?")]
    [InlineData("bench latncy", "unknown command 'latncy': did you mean latency?")]
    [InlineData("serve one port 80", "unexpected word 'port': did you mean the flag --port?")]
    [InlineData("serve --config /no/such.yaml", "--config /no/such.yaml cannot be read: Could not find a part of the path '/no/such.yaml'.")]
    [InlineData("serve --help=frobnicate", "no flag of `sluice serve` contains 'frobnicate'.")]
    [InlineData("serve /no/such/folder", "model folder '/no/such/folder' does not exist; give the path of a folder with config.json, or no model for the bundled one.")]
    public async Task Run_UsersMistake_SaysWhatToDo(string line, string message)
    {
        (int code, _, string error) = await CommandLineRunner.RunAsync(line.Split(' '));
        Assert.Equal($"error: {message}\n", error);
        Assert.Equal(CommandLine.UsersMistake, code);
    }

    [Theory]
    [InlineData("-tp 2", "--tensor-parallel-size 2")]
    [InlineData("--pipeline_parallel_size=4", "--pipeline-parallel-size 4")]
    [InlineData("--quantization awq", "--quantization awq")]
    [InlineData("-q fp8_per_tensor", "--quantization fp8_per_tensor")]
    [InlineData("--kv-cache-dtype fp8_e5m2", "--kv-cache-dtype fp8_e5m2")]
    [InlineData("--enable-lora", "--enable-lora")]
    [InlineData("--lora-modules a=b", "--lora-modules a=b")]
    [InlineData("-sc.method ngram", "--speculative-config {\"method\":\"ngram\"}")]
    [InlineData("--load-format gguf", "--load-format gguf")]
    [InlineData("--tool-call-parser hermes", "--tool-call-parser hermes")]
    [InlineData("--ssl-certfile a.pem", "--ssl-certfile a.pem")]
    [InlineData("--mm-processor-cache-gb 5", "--mm-processor-cache-gb 5")]
    [InlineData("--task embed", "--task embed")]
    public async Task Run_FlagOfLaterWork_SaysNotSupportedYet(string flags, string named)
    {
        (int code, _, string error) = await CommandLineRunner.RunAsync(["serve", .. flags.Split(' ')]);
        Assert.StartsWith($"error: {named} is not supported yet: ", error, StringComparison.Ordinal);
        Assert.Equal(CommandLine.UsersMistake, code);
    }
}

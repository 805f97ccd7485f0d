using System.Globalization;
using System.Text.RegularExpressions;
using Sluice.Server.Metrics;
using Sluice.Server.Tests.Support;

namespace Sluice.Server.Tests.Metrics;

public sealed partial class MetricsTests(Storyteller model)
{
    private const string Labels = "engine=\"0\",model_name=\"storyteller\"";

    [Fact]
    public async Task Metrics_AfterARequest_ParseAndCount()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        Dictionary<string, double> before = Parse(await ScrapeAsync(server));
        await server.PostOkAsync("/v1/completions", """{"prompt":[1,2,3,4],"max_tokens":5,"ignore_eos":true}""");

        // The engine counts a request's end beside handing it over.
        string finished = $"vllm:request_success_total{{{Labels},finished_reason=\"length\"}}";
        string text = await ScrapeAsync(server);
        for (int i = 0; i < 100 && !(Parse(text)[finished] > before[finished]); i++)
        {
            await Task.Delay(10, TestContext.Current.CancellationToken);
            text = await ScrapeAsync(server);
        }

        Dictionary<string, double> after = Parse(text);
        Assert.True(Added($"vllm:generation_tokens_total{{{Labels}}}") >= 5);
        Assert.True(Added($"vllm:prompt_tokens_total{{{Labels}}}") >= 4);
        Assert.True(Added(finished) >= 1);
        Assert.True(Added($"vllm:e2e_request_latency_seconds_count{{{Labels}}}") >= 1);
        Assert.True(Added($"vllm:time_to_first_token_seconds_count{{{Labels}}}") >= 1);
        Assert.Equal(1, after["http_requests_total{handler=\"/v1/completions\",method=\"POST\",status=\"2xx\"}"]);
        foreach (string name in (string[])["num_requests_running", "num_requests_waiting", "num_requests_swapped", "kv_cache_usage_perc", "cpu_cache_usage_perc"])
        {
            Assert.Contains($"vllm:{name}{{{Labels}}}", after.Keys);
        }

        Assert.Contains("# TYPE vllm:inter_token_latency_seconds histogram", text, StringComparison.Ordinal);
        Assert.Contains($"vllm:cache_config_info{{{Labels}", text, StringComparison.Ordinal);
        Assert.DoesNotContain("gpu_cache_usage_perc", text, StringComparison.Ordinal);

        double Added(string name) => after[name] - before.GetValueOrDefault(name);
    }

    [Fact]
    public async Task Metrics_HiddenShown_HaveTheOldNames()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine, static options => options with { ShowHiddenMetrics = true });
        string text = await ScrapeAsync(server);
        _ = Parse(text);
        Assert.Contains("vllm:gpu_cache_usage_perc{", text, StringComparison.Ordinal);
        Assert.Contains("vllm:time_per_output_token_seconds_count{", text, StringComparison.Ordinal);
        Assert.Contains("vllm:gpu_prefix_cache_hits_total{", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Metrics_RandomMethodsAndPaths_MakeNoSeries()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        await SendRandomAsync(server, 1, 40);
        int first = Parse(await ScrapeAsync(server)).Count;
        await SendRandomAsync(server, 2, 200);
        Assert.Equal(first, Parse(await ScrapeAsync(server)).Count);
    }

    [Fact]
    public void Text_NumbersAndLabels_AreThoseOfThePythonClient()
    {
        PrometheusText text = new();
        text.Family("a", "gauge", "Help.");
        text.Sample("a", $"m=\"{PrometheusText.Escape("x\"\\\n")}\"", 3);
        text.Sample("a", "", 0.25);
        text.Histogram("h", "m=\"1\"", [0.5, 1], [1, 2, 4], 2.5);
        Assert.Equal(
            "# HELP a Help.\n# TYPE a gauge\na{m=\"x\\\"\\\\\\n\"} 3.0\na 0.25\n"
            + "h_bucket{le=\"0.5\",m=\"1\"} 1.0\nh_bucket{le=\"1.0\",m=\"1\"} 2.0\nh_bucket{le=\"+Inf\",m=\"1\"} 4.0\n"
            + "h_count{m=\"1\"} 4.0\nh_sum{m=\"1\"} 2.5\n",
            System.Text.Encoding.UTF8.GetString(text.ToUtf8()));
    }

    private static Task<string> ScrapeAsync(TestServer server) =>
        server.Client.GetStringAsync("/metrics", TestContext.Current.CancellationToken);

    private static async Task SendRandomAsync(TestServer server, int seed, int count)
    {
        Random random = new(seed);
        for (int i = 0; i < count; i++)
        {
            string method = i % 2 == 0 ? "GET" : $"M{random.Next(100_000)}";
            using HttpRequestMessage request = new(new HttpMethod(method), $"/p{random.Next(100_000)}");
            using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Reads the format strictly: every sample belongs to the family above it, and no sample comes twice.</summary>
    private static Dictionary<string, double> Parse(string text)
    {
        Dictionary<string, double> samples = [];
        HashSet<string> families = [];
        string family = "";
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith("# HELP ", StringComparison.Ordinal))
            {
                family = line.Split(' ')[2];
                Assert.True(families.Add(family), $"{family} twice");
                continue;
            }

            if (line.StartsWith("# TYPE ", StringComparison.Ordinal))
            {
                Assert.Equal(family, line.Split(' ')[2]);
                Assert.Contains(line.Split(' ')[3], (string[])["counter", "gauge", "histogram", "summary"]);
                continue;
            }

            Match sample = Sample().Match(line);
            Assert.True(sample.Success, line);
            Assert.StartsWith(family, line, StringComparison.Ordinal);
            samples.Add(sample.Groups["name"].Value, double.Parse(sample.Groups["value"].Value, CultureInfo.InvariantCulture));
        }

        return samples;
    }

    [GeneratedRegex("""^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-z_]+="([^"\\]|\\.)*",?)*\})?) (?<value>[0-9.e+-]+)$""")]
    private static partial Regex Sample();
}

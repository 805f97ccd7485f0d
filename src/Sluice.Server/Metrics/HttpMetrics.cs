using System.Globalization;

namespace Sluice.Server.Metrics;

/// <summary>
/// Requests by route, method and status class, under the names that dashboards for vLLM's web server use. All label values come from fixed
/// lists: what clients send cannot make series.
/// </summary>
internal sealed class HttpMetrics
{
    private const string NoRoute = "none";
    private const string OtherMethod = "OTHER";
    private static readonly string[] Methods = ["GET", "POST", "OPTIONS", "HEAD", "PUT", "PATCH", "DELETE"];
    private static readonly double[] CoarseBounds = [0.1, 0.5, 1];
    private static readonly double[] FineBounds =
    [
        0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 7.5, 10, 30, 60,
    ];

    private readonly Lock _gate = new();
    private readonly SortedDictionary<(string Handler, string Method), RouteStats> _routes = [];
    private readonly HashSet<string> _handlers = [NoRoute];
    private readonly long[] _fine = new long[FineBounds.Length + 1];
    private double _fineSum;

    /// <summary>Names the routes, once, before the first request.</summary>
    public void SetRoutes(IEnumerable<string> patterns) => _handlers.UnionWith(patterns);

    public void Observe(string? route, string method, int statusCode, double seconds, long requestBytes, long responseBytes)
    {
        string handler = route is not null && _handlers.Contains(route) ? route : NoRoute;
        string known = Array.IndexOf(Methods, method) is var index and >= 0 ? Methods[index] : OtherMethod;
        lock (_gate)
        {
            if (!_routes.TryGetValue((handler, known), out RouteStats? stats))
            {
                _routes.Add((handler, known), stats = new RouteStats());
            }

            stats.Statuses[Math.Clamp(statusCode / 100, 1, 5)]++;
            stats.Coarse[BucketOf(CoarseBounds, seconds)]++;
            stats.Seconds += seconds;
            stats.RequestBytes += requestBytes;
            stats.ResponseBytes += responseBytes;
            _fine[BucketOf(FineBounds, seconds)]++;
            _fineSum += seconds;
        }
    }

    public void WriteTo(PrometheusText text)
    {
        lock (_gate)
        {
            text.Family("http_requests_total", "counter", "Total number of requests by method, status and handler.");
            foreach (((string handler, string method), RouteStats stats) in _routes)
            {
                for (int status = 1; status <= 5; status++)
                {
                    if (stats.Statuses[status] > 0)
                    {
                        string labels = $"handler=\"{handler}\",method=\"{method}\",status=\"{status}xx\"";
                        text.Sample("http_requests_total", labels, stats.Statuses[status]);
                    }
                }
            }

            Sizes(text, "http_request_size_bytes", "Content length of incoming requests by handler.", static stats => stats.RequestBytes);
            Sizes(text, "http_response_size_bytes", "Content length of outgoing responses by handler.", static stats => stats.ResponseBytes);
            text.Family("http_request_duration_seconds", "histogram", "Duration of HTTP requests by handler.");
            foreach (((string handler, string method), RouteStats stats) in _routes)
            {
                string labels = $"handler=\"{handler}\",method=\"{method}\"";
                text.Histogram("http_request_duration_seconds", labels, CoarseBounds, Cumulative(stats.Coarse), stats.Seconds);
            }

            text.Family("http_request_duration_highr_seconds", "histogram", "Duration of HTTP requests, in fine buckets.");
            text.Histogram("http_request_duration_highr_seconds", "", FineBounds, Cumulative(_fine), _fineSum);
        }
    }

    private void Sizes(PrometheusText text, string name, string help, Func<RouteStats, long> read)
    {
        text.Family(name, "summary", help);
        foreach (IGrouping<string, KeyValuePair<(string Handler, string Method), RouteStats>> route in _routes.GroupBy(row => row.Key.Handler))
        {
            string labels = string.Create(CultureInfo.InvariantCulture, $"handler=\"{route.Key}\"");
            text.Sample(name + "_count", labels, route.Sum(row => row.Value.Coarse.Sum()));
            text.Sample(name + "_sum", labels, route.Sum(row => read(row.Value)));
        }
    }

    private static int BucketOf(double[] bounds, double value)
    {
        int bucket = 0;
        while (bucket < bounds.Length && value > bounds[bucket])
        {
            bucket++;
        }

        return bucket;
    }

    private static long[] Cumulative(long[] counts)
    {
        long[] cumulative = new long[counts.Length];
        long total = 0;
        for (int bucket = 0; bucket < counts.Length; bucket++)
        {
            total += counts[bucket];
            cumulative[bucket] = total;
        }

        return cumulative;
    }

    private sealed class RouteStats
    {
        /// <summary>By the first digit of the status.</summary>
        public long[] Statuses { get; } = new long[6];

        public long[] Coarse { get; } = new long[CoarseBounds.Length + 1];

        public double Seconds { get; set; }

        public long RequestBytes { get; set; }

        public long ResponseBytes { get; set; }
    }
}

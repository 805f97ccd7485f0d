using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Sluice.Server.Endpoints;

namespace Sluice.Server.Http;

/// <summary>
/// Kestrel and the layers a request passes. The builder starts empty: no configuration file or environment variable of the machine
/// changes how the server listens, and nothing is loaded that is not used.
/// </summary>
internal static class ServerPipeline
{
    private static readonly TimeSpan HeadersTimeout = TimeSpan.FromSeconds(15);

    // A reader slower than this for so long holds memory that others need.
    private static readonly MinDataRate SlowestReader = new(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(30));

    public static WebApplication Build(ServerState state)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "Sluice" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Configure(kestrel, state.Options));
        builder.Logging.SetMinimumLevel(LogLevel.Error).AddProvider(new ServerLogProvider(state.Log));
        builder.Services.AddRoutingCore();
        builder.Services.AddCors(cors => cors.AddDefaultPolicy(policy => Configure(policy, state.Options)));

        // Signals are the server's own business.
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        WebApplication app = builder.Build();
        if (state.Options.RootPath is { Length: > 1 } root)
        {
            app.UsePathBase("/" + root.Trim('/'));
        }

        app.Use(next => new RequestMiddleware(next, state).InvokeAsync);
        app.Use(next => new ErrorMiddleware(next, state).InvokeAsync);
        app.UseRouting();
        app.UseCors();
        app.Use(next => new GateMiddleware(next, state).InvokeAsync);
        MapEndpoints(app, state);
        IEnumerable<RouteEndpoint> routes = ((IEndpointRouteBuilder)app).DataSources.SelectMany(static source => source.Endpoints).OfType<RouteEndpoint>();
        state.HttpMetrics.SetRoutes(routes.Select(static route => route.RoutePattern.RawText ?? ""));
        return app;
    }

    private static void MapEndpoints(WebApplication app, ServerState state)
    {
        ChatCompletions.Map(app, state);
        Completions.Map(app, state);
        Endpoints.Models.Map(app, state);
        Tokenize.Map(app, state);
        Detokenize.Map(app, state);
        Health.Map(app, state);
        Ping.Map(app, state);
        Endpoints.Version.Map(app);
        Load.Map(app, state);
        Endpoints.Metrics.Map(app, state);
    }

    private static void Configure(KestrelServerOptions kestrel, ServerOptions options)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxConcurrentConnections = options.MaxConnections;
        kestrel.Limits.RequestHeadersTimeout = HeadersTimeout;
        kestrel.Limits.MinResponseDataRate = SlowestReader;

        // RequestBody counts itself, so that a client gets an answer and not a reset.
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.ConfigureEndpointDefaults(static listen => listen.Protocols = HttpProtocols.Http1);
        ListenAddress.Listen(kestrel, options);
    }

    private static void Configure(CorsPolicyBuilder policy, ServerOptions options)
    {
        if (!options.AllowedOrigins.Contains("*"))
        {
            policy.WithOrigins([.. options.AllowedOrigins]);
        }
        else if (options.AllowCredentials)
        {
            // Browsers take no "*" together with credentials: the origin itself is named.
            policy.SetIsOriginAllowed(static _ => true);
        }
        else
        {
            policy.AllowAnyOrigin();
        }

        _ = options.AllowedMethods.Contains("*") ? policy.AllowAnyMethod() : policy.WithMethods([.. options.AllowedMethods]);
        _ = options.AllowedHeaders.Contains("*") ? policy.AllowAnyHeader() : policy.WithHeaders([.. options.AllowedHeaders]);
        if (options.AllowCredentials)
        {
            policy.AllowCredentials();
        }
    }

    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

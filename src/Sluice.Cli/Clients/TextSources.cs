using Sluice.Cli.Flags;
using Sluice.Cli.Startup;

namespace Sluice.Cli.Clients;

/// <summary>Chooses what answers: the model of <c>--model</c> in this process, or the server of <c>--url</c>.</summary>
internal static class TextSources
{
    private const string StandardUrl = "http://localhost:8000/v1";

    public static async Task<ITextSource> OpenAsync(FlagValues values, CommandConsole console, CancellationToken cancellation)
    {
        if (values.Text("model") is null)
        {
            string? key = values.Text("api-key") ?? console.Environment.ApiKey;
            return await RemoteTextSource.ConnectAsync(values.Text("url") ?? StandardUrl, key, values.Text("model-name"), cancellation);
        }

        if (values.Text("url") is not null)
        {
            throw new UserErrorException("--url and --model exclude each other: a server answers, or a model in this process.");
        }

        ModelLocation model = EngineStarter.Locate(values, positional: null, console.Environment);
        LlmEngine engine = await EngineStarter.StartAsync(
            EngineOptionsBinder.Bind(values, model.Folder), model, new LogLines(null), console.IsTerminal, cancellation);
        return new LocalTextSource(engine, values.Text("model-name") ?? model.Name);
    }
}

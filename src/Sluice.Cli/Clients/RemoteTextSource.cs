using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace Sluice.Cli.Clients;

/// <summary>A running server, over the OpenAI API.</summary>
internal sealed class RemoteTextSource : ITextSource
{
    private readonly HttpClient _http;
    private readonly string _url;

    private RemoteTextSource(HttpClient http, string url, string modelName)
    {
        _http = http;
        _url = url;
        ModelName = modelName;
    }

    public string ModelName { get; }

    /// <param name="url">Up to and with <c>/v1</c>.</param>
    /// <param name="apiKey">Sent as bearer token; null for none.</param>
    /// <param name="modelName">Null for the first that the server has.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="UserErrorException">There is no server, or it refuses.</exception>
    public static async Task<RemoteTextSource> ConnectAsync(string url, string? apiKey, string? modelName, CancellationToken cancellation)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out Uri? address) || address.Scheme is not ("http" or "https"))
        {
            throw new UserErrorException($"--url {url} is not an address such as http://localhost:8000/v1");
        }

        // Answers may take as long as they like; the person at the terminal ends them.
        var http = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
        if (apiKey is not null)
        {
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", apiKey);
        }

        string baseUrl = url.TrimEnd('/');
        try
        {
            return new RemoteTextSource(http, baseUrl, modelName ?? await FirstModelAsync(http, baseUrl, cancellation));
        }
        catch
        {
            http.Dispose();
            throw;
        }
    }

    public IAsyncEnumerable<TextPiece> ChatAsync(IReadOnlyList<ChatTurn> turns, int? maxTokens, CancellationToken cancellation) =>
        StreamAsync("/chat/completions", maxTokens, writer =>
        {
            writer.WriteStartArray("messages");
            foreach (ChatTurn turn in turns)
            {
                writer.WriteStartObject();
                writer.WriteString("role", turn.Role);
                writer.WriteString("content", turn.Text);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }, ReadChatPieces, cancellation);

    public IAsyncEnumerable<TextPiece> CompleteAsync(string prompt, int? maxTokens, CancellationToken cancellation) =>
        StreamAsync("/completions", maxTokens, writer => writer.WriteString("prompt", prompt), ReadCompletionPieces, cancellation);

    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return ValueTask.CompletedTask;
    }

    private async IAsyncEnumerable<TextPiece> StreamAsync(
        string path, int? maxTokens, Action<Utf8JsonWriter> members, Func<JsonElement, IEnumerable<TextPiece>> read,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var content = new ByteArrayContent(Body(maxTokens, members));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using var request = new HttpRequestMessage(HttpMethod.Post, _url + path) { Content = content };
        using HttpResponseMessage response = await SendAsync(_http, request, cancellation);
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(cancellation), Encoding.UTF8);
        while (await lines.ReadLineAsync(cancellation) is { } line)
        {
            if (!line.StartsWith("data:", StringComparison.Ordinal))
            {
                continue;
            }

            string data = line["data:".Length..].Trim();
            if (data == "[DONE]")
            {
                yield break;
            }

            using JsonDocument chunk = JsonDocument.Parse(data);
            if (chunk.RootElement.TryGetProperty("error", out JsonElement error))
            {
                throw new UserErrorException($"the server ended the answer: {Message(error)}");
            }

            foreach (JsonElement choice in chunk.RootElement.GetProperty("choices").EnumerateArray())
            {
                foreach (TextPiece piece in read(choice).Where(piece => piece.Text.Length > 0))
                {
                    yield return piece;
                }
            }
        }
    }

    private byte[] Body(int? maxTokens, Action<Utf8JsonWriter> members)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteString("model", ModelName);
            writer.WriteBoolean("stream", true);
            if (maxTokens is { } limit)
            {
                writer.WriteNumber("max_tokens", limit);
            }

            members(writer);
            writer.WriteEndObject();
        }

        return stream.ToArray();
    }

    private static IEnumerable<TextPiece> ReadChatPieces(JsonElement choice)
    {
        JsonElement delta = choice.GetProperty("delta");
        if (delta.TryGetProperty("reasoning", out JsonElement thinking) && thinking.ValueKind == JsonValueKind.String)
        {
            yield return new TextPiece(thinking.GetString()!, IsThinking: true);
        }

        if (delta.TryGetProperty("content", out JsonElement content) && content.ValueKind == JsonValueKind.String)
        {
            yield return new TextPiece(content.GetString()!, IsThinking: false);
        }
    }

    private static IEnumerable<TextPiece> ReadCompletionPieces(JsonElement choice)
    {
        yield return new TextPiece(choice.GetProperty("text").GetString()!, IsThinking: false);
    }

    private static async Task<string> FirstModelAsync(HttpClient http, string url, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url + "/models");
        using HttpResponseMessage response = await SendAsync(http, request, cancellation);
        using JsonDocument models = await JsonDocument.ParseAsync(await response.Content.ReadAsStreamAsync(cancellation), default, cancellation);
        return models.RootElement.GetProperty("data")[0].GetProperty("id").GetString()!;
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpClient http, HttpRequestMessage request, CancellationToken cancellation)
    {
        HttpResponseMessage response;
        try
        {
            response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        }
        catch (HttpRequestException exception)
        {
            throw new UserErrorException($"no server answers at {request.RequestUri}: {exception.Message} Start one with `sluice serve`, or give --url or --model.");
        }

        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            string body = await response.Content.ReadAsStringAsync(cancellation);
            throw new UserErrorException($"{request.RequestUri} answered {(int)response.StatusCode}: {ErrorText(body)}");
        }
    }

    private static string ErrorText(string body)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            return document.RootElement.TryGetProperty("error", out JsonElement error) ? Message(error) : body;
        }
        catch (JsonException)
        {
            return body;
        }
    }

    private static string Message(JsonElement error) =>
        error.ValueKind == JsonValueKind.Object && error.TryGetProperty("message", out JsonElement message) ? message.ToString() : error.ToString();
}

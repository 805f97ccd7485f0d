using System.Buffers;
using System.Buffers.Text;
using System.IO.Pipelines;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Sluice.Server.OpenAi;

namespace Sluice.Server.Streaming;

/// <summary>
/// Server-sent events straight into the response's pipe: constant parts are copied, texts are escaped in place, nothing is allocated an
/// event. Whoever writes decides when to flush; several events of one moment go out in one packet.
/// </summary>
internal sealed class SseWriter : IDisposable
{
    private readonly PipeWriter _pipe;
    private readonly Utf8JsonWriter _json;

    private SseWriter(PipeWriter pipe)
    {
        _pipe = pipe;
        _json = new Utf8JsonWriter(pipe, WireJson.WriterOptions);
    }

    /// <summary>Starts the answer; nothing is sent before the first flush.</summary>
    public static SseWriter Start(HttpContext context)
    {
        HttpResponse response = context.Response;
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = "text/event-stream; charset=utf-8";
        response.Headers.CacheControl = "no-cache";

        // nginx would otherwise collect the stream before it passes it on.
        response.Headers["X-Accel-Buffering"] = "no";
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        return new SseWriter(response.BodyWriter);
    }

    /// <summary>Bytes as they are.</summary>
    public SseWriter Raw(ReadOnlySpan<byte> bytes)
    {
        _pipe.Write(bytes);
        return this;
    }

    /// <summary>A whole number.</summary>
    public SseWriter Number(int value)
    {
        Span<byte> destination = _pipe.GetSpan(11);
        _ = Utf8Formatter.TryFormat(value, destination, out int written);
        _pipe.Advance(written);
        return this;
    }

    /// <summary>A JSON string with its quotes.</summary>
    public SseWriter Text(string value)
    {
        Utf8JsonWriter json = BeginJson();
        json.WriteStringValue(value);
        EndJson();
        return this;
    }

    /// <summary>A writer for one JSON value; <see cref="EndJson"/> must follow.</summary>
    public Utf8JsonWriter BeginJson()
    {
        _json.Reset(_pipe);
        return _json;
    }

    public void EndJson() => _json.Flush();

    /// <summary>An event that tells of an error after the stream has begun.</summary>
    public void Error(string message, int statusCode)
    {
        Raw("data: "u8);
        JsonSerializer.Serialize(BeginJson(), ErrorBody.Of(message, null, statusCode), WireJson.Readable.ErrorBody);
        EndJson();
        Raw("\n\n"u8);
    }

    public void Done() => Raw("data: [DONE]\n\n"u8);

    /// <summary>Sends what was written, and waits while the client is slow.</summary>
    /// <returns>False when the client has gone.</returns>
    public async ValueTask<bool> FlushAsync() => !(await _pipe.FlushAsync()).IsCompleted;

    public void Dispose() => _json.Dispose();
}

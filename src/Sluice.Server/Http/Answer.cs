using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using Sluice.Server.OpenAi;

namespace Sluice.Server.Http;

/// <summary>Writes whole answers.</summary>
internal static class Answer
{
    private const string JsonContentType = "application/json";

    public static Task JsonAsync<T>(HttpContext context, T value, JsonTypeInfo<T> type) =>
        BytesAsync(context, StatusCodes.Status200OK, JsonSerializer.SerializeToUtf8Bytes(value, type));

    public static Task JsonAsync(HttpContext context, ReadOnlyMemory<byte> json) => BytesAsync(context, StatusCodes.Status200OK, json);

    public static Task ErrorAsync(HttpContext context, int statusCode, string message, string? parameter = null)
    {
        // A busy server wants clients back soon and elsewhere if possible; a 503 is always of that kind here.
        if (statusCode == StatusCodes.Status503ServiceUnavailable)
        {
            context.Response.Headers.RetryAfter = ServerBusyException.RetryAfterSeconds;
        }

        ErrorBody body = ErrorBody.Of(message, parameter, statusCode);
        return BytesAsync(context, statusCode, JsonSerializer.SerializeToUtf8Bytes(body, WireJson.Readable.ErrorBody));
    }

    private static async Task BytesAsync(HttpContext context, int statusCode, ReadOnlyMemory<byte> json)
    {
        HttpResponse response = context.Response;
        response.StatusCode = statusCode;
        response.ContentType = JsonContentType;
        response.ContentLength = json.Length;
        response.Headers[HeaderNames.XContentTypeOptions] = "nosniff";
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await response.BodyWriter.WriteAsync(json, context.RequestAborted);
        }
    }
}

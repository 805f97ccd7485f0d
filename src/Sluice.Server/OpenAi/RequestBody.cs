using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using Sluice.Requests;

namespace Sluice.Server.OpenAi;

/// <summary>
/// The JSON body of a request, read under the byte limits and parsed strictly: UTF-8, one value, no comments, no trailing commas, no
/// key twice, at most 64 levels. The bytes stay rented until <see cref="Dispose"/>.
/// </summary>
internal sealed class RequestBody : IDisposable
{
    private const int FirstBufferBytes = 16 * 1024;
    private const int MaxDepth = 64;
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = MaxDepth };

    private readonly BodyBudget _budget;
    private readonly JsonDocument _document;
    private byte[] _bytes;

    private RequestBody(BodyBudget budget, byte[] bytes, JsonDocument document)
    {
        _budget = budget;
        _bytes = bytes;
        _document = document;
    }

    /// <summary>The top-level object.</summary>
    public JsonElement Root => _document.RootElement;

    /// <summary>Reads and parses the body of <paramref name="context"/>'s request.</summary>
    /// <exception cref="RequestValidationException">Not JSON, not an object, too long, or of another content type.</exception>
    public static async Task<RequestBody> ReadAsync(HttpContext context, BodyBudget budget, long limitBytes)
    {
        CheckContentType(context.Request);
        if (context.Request.ContentLength > limitBytes)
        {
            throw TooLong(limitBytes);
        }

        (byte[] bytes, int length) = await ReadBytesAsync(context, budget, limitBytes);
        try
        {
            return new RequestBody(budget, bytes, Parse(bytes.AsMemory(0, length)));
        }
        catch
        {
            Return(budget, bytes);
            throw;
        }
    }

    public void Dispose()
    {
        if (_bytes.Length > 0)
        {
            _document.Dispose();
            Return(_budget, _bytes);
            _bytes = [];
        }
    }

    private static void CheckContentType(HttpRequest request)
    {
        if (request.Headers.ContentEncoding.Count > 0 && request.Headers.ContentEncoding != "identity")
        {
            throw new RequestValidationException(
                $"Unsupported Media Type: a body in content encoding {Quote.Text(request.Headers.ContentEncoding.ToString())} is not accepted",
                statusCode: StatusCodes.Status415UnsupportedMediaType);
        }

        // The text and the status are vLLM's.
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out MediaTypeHeaderValue? type)
            || !type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase))
        {
            throw new RequestValidationException("Unsupported Media Type: Only 'application/json' is allowed");
        }

        if (type.Charset.HasValue && !HeaderUtilities.RemoveQuotes(type.Charset).Equals("utf-8", StringComparison.OrdinalIgnoreCase))
        {
            throw new RequestValidationException(
                $"Unsupported Media Type: charset must be utf-8, got {Quote.Text(type.Charset.ToString())}",
                statusCode: StatusCodes.Status415UnsupportedMediaType);
        }
    }

    // The buffer grows with what has arrived, not with what Content-Length promises: promises cost a client nothing.
    private static async Task<(byte[] Bytes, int Length)> ReadBytesAsync(HttpContext context, BodyBudget budget, long limitBytes)
    {
        PipeReader reader = context.Request.BodyReader;
        byte[] bytes = Rent(budget, FirstBufferBytes);
        int length = 0;
        try
        {
            while (true)
            {
                ReadResult result = await reader.ReadAsync(context.RequestAborted);
                ReadOnlySequence<byte> arrived = result.Buffer;
                if (length + arrived.Length > limitBytes)
                {
                    reader.AdvanceTo(arrived.End);
                    throw TooLong(limitBytes);
                }

                if (length + arrived.Length > bytes.Length)
                {
                    bytes = Grow(budget, bytes, length, (int)Math.Min(Array.MaxLength, length + arrived.Length));
                }

                arrived.CopyTo(bytes.AsSpan(length));
                length += (int)arrived.Length;
                reader.AdvanceTo(arrived.End);
                if (result.IsCompleted)
                {
                    return (bytes, length);
                }
            }
        }
        catch
        {
            Return(budget, bytes);
            throw;
        }
    }

    // Kestrel's own limit would reset the connection under a client that is still sending, and the client would never see why.
    private static RequestValidationException TooLong(long limitBytes) =>
        new($"The request body is longer than the limit of {limitBytes} bytes", statusCode: StatusCodes.Status413PayloadTooLarge);

    private static JsonDocument Parse(ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Span.StartsWith("\uFEFF"u8))
        {
            bytes = bytes[3..];
        }

        if (bytes.Span.Trim(" \t\r\n"u8).IsEmpty)
        {
            throw new RequestValidationException("The body is empty; a JSON object is expected");
        }

        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(bytes, Strict);
        }
        catch (JsonException exception)
        {
            throw new RequestValidationException(Describe(exception));
        }
        catch (InvalidOperationException)
        {
            // The search for names that stand twice could not read one.
            throw new RequestValidationException(
                "A field name is not valid Unicode text: it has half of a surrogate pair or broken UTF-8");
        }

        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            JsonValueKind found = document.RootElement.ValueKind;
            document.Dispose();
            throw new RequestValidationException($"The body must be a JSON object, got {Quote.Kind(found)}");
        }

        return document;
    }

    private static string Describe(JsonException exception)
    {
        string reason = exception.Message;
        int position = reason.IndexOf(" LineNumber:", StringComparison.Ordinal);
        reason = position < 0 ? reason : reason[..position];
        return exception.LineNumber is long line
            ? $"The body is not valid JSON (line {line + 1}, byte {exception.BytePositionInLine + 1}): {Quote.Plain(reason, 300)}"
            : $"The body is not valid JSON: {Quote.Plain(reason, 300)}";
    }

    private static byte[] Grow(BodyBudget budget, byte[] bytes, int length, int needed)
    {
        byte[] larger = Rent(budget, Math.Max(needed, (int)Math.Min(Array.MaxLength, bytes.Length * 2L)));
        bytes.AsSpan(0, length).CopyTo(larger);
        Return(budget, bytes);
        return larger;
    }

    private static byte[] Rent(BodyBudget budget, int size)
    {
        byte[] bytes = ArrayPool<byte>.Shared.Rent(size);
        if (!budget.TryTake(bytes.Length))
        {
            ArrayPool<byte>.Shared.Return(bytes);
            throw new ServerBusyException("The server is reading as many request bodies as it has memory for; try again later");
        }

        return bytes;
    }

    private static void Return(BodyBudget budget, byte[] bytes)
    {
        budget.GiveBack(bytes.Length);
        ArrayPool<byte>.Shared.Return(bytes);
    }
}

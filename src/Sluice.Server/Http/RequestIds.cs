using System.Buffers;
using Microsoft.AspNetCore.Http;

namespace Sluice.Server.Http;

/// <summary>Names of requests: a client's own where it is short and plain, else a new one.</summary>
internal static class RequestIds
{
    private const int MaxLength = 128;
    private static readonly SearchValues<char> Allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/+=@");

    public static string New() => Guid.NewGuid().ToString("N");

    /// <summary>The <c>X-Request-Id</c> header, unless it is missing, doubled, long or has characters that could garble a log.</summary>
    public static string? FromHeader(HttpRequest request) =>
        request.Headers["X-Request-Id"] is { Count: 1 } values && values[0] is { } id && IsPlain(id) ? id : null;

    public static bool IsPlain(string id) => id.Length is > 0 and <= MaxLength && !id.AsSpan().ContainsAnyExcept(Allowed);
}

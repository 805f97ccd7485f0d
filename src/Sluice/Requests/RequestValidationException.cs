namespace Sluice.Requests;

/// <summary>A request that cannot be served as it is; over HTTP an answer with <see cref="StatusCode"/>.</summary>
/// <param name="message">What is wrong, with the value given and the range allowed.</param>
/// <param name="parameter">The field that is wrong, such as <c>temperature</c>.</param>
/// <param name="statusCode">HTTP status.</param>
public sealed class RequestValidationException(string message, string? parameter = null, int statusCode = 400) : Exception(message)
{
    /// <summary>The field that is wrong.</summary>
    public string? Parameter { get; } = parameter;

    /// <summary>HTTP status of the answer.</summary>
    public int StatusCode { get; } = statusCode;
}

namespace Sluice.Server.OpenAi;

/// <summary>What every answer but 2xx carries.</summary>
/// <param name="Error">The error.</param>
internal sealed record ErrorBody(ErrorInfo Error)
{
    public static ErrorBody Of(string message, string? parameter, int statusCode) =>
        new(new ErrorInfo(message, TypeOf(statusCode), parameter, statusCode));

    /// <summary>vLLM's names where it has one, else the status in the same manner.</summary>
    private static string TypeOf(int statusCode) => statusCode switch
    {
        400 => "BadRequestError",
        401 => "AuthenticationError",
        403 => "PermissionDeniedError",
        404 => "NotFoundError",
        405 => "MethodNotAllowedError",
        408 => "RequestTimeoutError",
        413 => "ContentTooLargeError",
        414 => "UriTooLongError",
        415 => "UnsupportedMediaTypeError",
        422 => "UnprocessableEntityError",
        429 => "RateLimitError",
        431 => "RequestHeaderFieldsTooLargeError",
        501 => "NotImplementedError",
        503 => "ServiceUnavailableError",
        < 500 => "BadRequestError",
        _ => "InternalServerError",
    };
}

/// <param name="Message">One line: what, the value given, what is allowed.</param>
/// <param name="Type">Class of the error.</param>
/// <param name="Param">Field that is wrong.</param>
/// <param name="Code">HTTP status.</param>
internal sealed record ErrorInfo(string Message, string Type, string? Param, int Code);

namespace Sluice.Server.OpenAi;

/// <summary>The server cannot take the request now: answered with 503 and <c>Retry-After</c>.</summary>
/// <param name="message">Why, for the client.</param>
internal sealed class ServerBusyException(string message) : Exception(message)
{
    /// <summary>What <c>Retry-After</c> says, in seconds.</summary>
    public const string RetryAfterSeconds = "1";
}

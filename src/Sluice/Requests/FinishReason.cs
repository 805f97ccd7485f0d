namespace Sluice.Requests;

/// <summary>Why a completion ended.</summary>
public enum FinishReason
{
    /// <summary>An end-of-sequence token, a stop token or a stop string.</summary>
    Stop,

    /// <summary>The token limit of the request or the context length.</summary>
    Length,

    /// <summary>The client went away or the server stopped.</summary>
    Abort,

    /// <summary>A fault that belongs to this request; see <see cref="TokenOutput.Error"/>.</summary>
    Error,
}

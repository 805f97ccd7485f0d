using Microsoft.AspNetCore.Builder;

namespace Sluice.Server.Http;

/// <summary>
/// What a route says about itself. The gate decides by these, never by the path: a route without traits needs a key and is closed while
/// the server drains.
/// </summary>
[Flags]
internal enum EndpointTraits
{
    None = 0,

    /// <summary>Needs no API key.</summary>
    Open = 1,

    /// <summary>Asked by machines all the time: answered while draining, and in no HTTP metric.</summary>
    Probe = 2,

    /// <summary>Makes the model work; counted by <c>/load</c>.</summary>
    Generates = 4,
}

internal static class EndpointTraitsExtensions
{
    public static IEndpointConventionBuilder With(this IEndpointConventionBuilder route, EndpointTraits traits) =>
        route.WithMetadata(new TraitsMetadata(traits));
}

/// <summary>Carries <see cref="EndpointTraits"/> in an endpoint's metadata.</summary>
internal sealed record TraitsMetadata(EndpointTraits Traits);

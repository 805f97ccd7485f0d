using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace Sluice.Server.Http;

/// <summary>
/// The keys that open the server. Both sides are hashed, so that the comparison is of equal lengths and in constant time, and every key is
/// compared, so that the time does not tell which one came close.
/// </summary>
internal sealed class ApiKeys
{
    private const string Scheme = "Bearer ";

    // A longer token is no key of ours, and hashing it would be work for a stranger.
    private const int MaxTokenLength = 4096;

    private readonly byte[][] _hashes;

    public ApiKeys(IReadOnlyList<string> keys) => _hashes = [.. keys.Select(Hash)];

    /// <summary>False when anybody may use the server.</summary>
    public bool AreRequired => _hashes.Length > 0;

    /// <param name="authorization">The <c>Authorization</c> header.</param>
    public bool Accept(StringValues authorization)
    {
        if (authorization.Count != 1 || authorization[0] is not { } header
            || !header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) || header.Length > MaxTokenLength)
        {
            return false;
        }

        byte[] given = Hash(header[Scheme.Length..].Trim());
        bool isKnown = false;
        foreach (byte[] hash in _hashes)
        {
            isKnown |= CryptographicOperations.FixedTimeEquals(given, hash);
        }

        return isKnown;
    }

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}

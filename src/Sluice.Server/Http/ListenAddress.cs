using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Sluice.Server.Http;

/// <summary>From <c>--host</c>, <c>--port</c> and <c>--uds</c> to a socket.</summary>
internal static class ListenAddress
{
    public static void Listen(KestrelServerOptions kestrel, ServerOptions options)
    {
        if (options.Uds is { } path)
        {
            RemoveStale(path);
            kestrel.ListenUnixSocket(Path.GetFullPath(path));
        }
        else if (options.Host is null or "" or "*")
        {
            kestrel.ListenAnyIP(options.Port);
        }
        else if (IPAddress.TryParse(options.Host.Trim('[', ']'), out IPAddress? address))
        {
            kestrel.Listen(address, options.Port);
        }
        else
        {
            kestrel.Listen(Resolve(options.Host), options.Port);
        }
    }

    /// <summary>One line that says what is wrong with the address.</summary>
    public static string Describe(ServerOptions options, Exception exception)
    {
        string reason = (exception.InnerException ?? exception).Message;
        return options.Uds is { } path
            ? $"--uds {path}: {reason}"
            : $"Cannot listen on {options.Host ?? "0.0.0.0"} port {options.Port}: {reason}. Choose another address with --host or --port";
    }

    private static IPAddress Resolve(string host)
    {
        try
        {
            IPAddress[] addresses = Dns.GetHostAddresses(host);
            return Array.Find(addresses, static address => address.AddressFamily == AddressFamily.InterNetwork)
                ?? addresses.FirstOrDefault()
                ?? throw new UserErrorException($"--host {host}: the name has no address");
        }
        catch (SocketException exception)
        {
            throw new UserErrorException($"--host {host}: {exception.Message}");
        }
    }

    // A server that was killed leaves its socket file behind; one that answers is a server that runs.
    private static void RemoveStale(string path)
    {
        if (!File.Exists(path))
        {
            return;
        }

        using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException exception) when (exception.SocketErrorCode == SocketError.ConnectionRefused)
        {
            File.Delete(path);
            return;
        }
        catch (SocketException)
        {
            throw new UserErrorException($"--uds {path}: the file exists and is not a socket");
        }

        throw new UserErrorException($"--uds {path}: another server listens there");
    }
}

using System.Net.Sockets;
using System.Text;

namespace Sluice.Server.Tests.Support;

/// <summary>Bytes over a socket, for requests that no client library would send.</summary>
internal static class RawHttp
{
    /// <summary>Sends the text and reads until the server closes or the time is over.</summary>
    public static async Task<string> SendAsync(Uri address, string request, TimeSpan patience)
    {
        using TcpClient client = new();
        await client.ConnectAsync(address.Host, address.Port, TestContext.Current.CancellationToken);
        NetworkStream stream = client.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request), TestContext.Current.CancellationToken);
        StringBuilder answer = new();
        byte[] buffer = new byte[4096];
        using CancellationTokenSource giveUp = new(patience);
        try
        {
            int count;
            while ((count = await stream.ReadAsync(buffer, giveUp.Token)) > 0)
            {
                answer.Append(Encoding.Latin1.GetString(buffer, 0, count));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            // What came until then is the answer.
        }

        return answer.ToString();
    }
}

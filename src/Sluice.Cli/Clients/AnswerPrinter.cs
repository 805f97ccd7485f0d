using System.Diagnostics;
using System.Text;
using Spectre.Console;

namespace Sluice.Cli.Clients;

/// <summary>Writes an answer as it comes, and what it took if asked for.</summary>
internal sealed class AnswerPrinter(CommandConsole console, bool showStats)
{
    /// <summary>Writes all pieces; returns the answer without the thinking.</summary>
    public async Task<string> PrintAsync(IAsyncEnumerable<TextPiece> pieces)
    {
        long start = Stopwatch.GetTimestamp();
        TimeSpan first = default;
        int pieceCount = 0;
        var answer = new StringBuilder();
        await foreach (TextPiece piece in pieces)
        {
            if (pieceCount++ == 0)
            {
                first = Stopwatch.GetElapsedTime(start);
            }

            if (piece.IsThinking && console.IsTerminal)
            {
                AnsiConsole.Write(new Spectre.Console.Text(piece.Text, new Style(Color.Grey)));
            }
            else
            {
                await console.Output.WriteAsync(piece.Text);
                await console.Output.FlushAsync();
            }

            answer.Append(piece.IsThinking ? "" : piece.Text);
        }

        await console.Output.WriteLineAsync();
        if (showStats)
        {
            TimeSpan total = Stopwatch.GetElapsedTime(start);
            double perSecond = pieceCount > 1 ? (pieceCount - 1) / (total - first).TotalSeconds : 0;
            await console.Error.WriteLineAsync($"TTFT: {first.TotalMilliseconds:F0} ms, {pieceCount} chunks in {total.TotalSeconds:F2} s, {perSecond:F1} chunks/s");
        }

        return answer.ToString();
    }
}

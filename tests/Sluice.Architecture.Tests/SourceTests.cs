using System.Text.RegularExpressions;

namespace Sluice.Architecture.Tests;

public sealed partial class SourceTests
{
    private const int LongFileLineCount = 500;

    // A long file explains itself near its top.
    private const int ExplanationWithinLines = 60;
    private const long TreeSizeLimitBytes = 35L * 1024 * 1024;

    private static readonly string[] Folders = ["src", "tests", "samples", "bench"];

    [Fact]
    public void SourceFiles_Namespaces_FollowFolders()
    {
        foreach (string path in Repository.SourceFiles("src"))
        {
            Match match = NamespaceLine().Match(File.ReadAllText(path));
            if (!match.Success)
            {
                Assert.True(Path.GetFileName(path) is "Program.cs" or "GlobalUsings.cs", $"{Repository.Relative(path)} has no namespace.");
                continue;
            }

            string expected = Path.GetDirectoryName(Repository.Relative(path))!["src/".Length..].Replace('/', '.');
            Assert.True(match.Groups[1].Value == expected, $"{Repository.Relative(path)}: namespace {match.Groups[1].Value}, expected {expected}.");
        }
    }

    [Fact]
    public void SourceFiles_LongerThan500Lines_SayWhy()
    {
        foreach (string path in Folders.SelectMany(AllFiles))
        {
            string[] lines = File.ReadAllLines(path);
            bool explains = lines.Take(ExplanationWithinLines).Any(line => LongFileComment().IsMatch(line));
            Assert.True(
                lines.Length <= LongFileLineCount || explains,
                $"{Repository.Relative(path)} has {lines.Length} lines and no comment 'This file is long because ...' near its top.");
        }
    }

    [Fact]
    public void SourceFiles_UnfinishedWork_IsNotThere()
    {
        foreach (string path in Folders.SelectMany(AllFiles).Where(path => Path.GetFileName(path) != "SourceTests.cs"))
        {
            Match match = Unfinished().Match(File.ReadAllText(path));
            Assert.False(match.Success, $"{Repository.Relative(path)} contains '{match.Value}'.");
        }
    }

    [Fact]
    public void Program_EnvironmentVariables_AreReadInTwoFiles()
    {
        // The program's habits and secrets, and where a machine keeps its CUDA libraries, which users of the library need as well.
        string[] readers = [.. Repository.SourceFiles("src").Where(path => EnvironmentRead().IsMatch(File.ReadAllText(path))).Select(Repository.Relative)];
        Assert.Equal(["src/Sluice.Cli/EnvironmentSettings.cs", "src/Sluice.Compute/Cuda/CudaEnvironment.cs"], readers.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void TrackedTree_Size_StaysSmall()
    {
        IReadOnlyList<string>? files = Repository.TrackedFiles();
        Assert.SkipWhen(files is null, "this is no git checkout");
        long sizeBytes = files.Select(file => new FileInfo(Path.Combine(Repository.Root, file))).Where(file => file.Exists).Sum(file => file.Length);
        Assert.True(sizeBytes < TreeSizeLimitBytes, $"Tracked files take {sizeBytes / 1048576.0:F1} MiB of {TreeSizeLimitBytes >> 20} MiB.");
    }

    private static IEnumerable<string> AllFiles(string folder) =>
        Directory.Exists(Path.Combine(Repository.Root, folder)) ? Repository.SourceFiles(folder) : [];

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex NamespaceLine();

    [GeneratedRegex(@"//.*\b[Ll]ong(er than 500 lines)? because\b")]
    private static partial Regex LongFileComment();

    [GeneratedRegex(@"\bTODO\b|\bFIXME\b|\bHACK\b|\bXXX\b|NotImplementedException")]
    private static partial Regex Unfinished();

    [GeneratedRegex(@"Environment\.(GetEnvironmentVariable|ExpandEnvironmentVariables)")]
    private static partial Regex EnvironmentRead();
}

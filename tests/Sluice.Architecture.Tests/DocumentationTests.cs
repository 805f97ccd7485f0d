using System.Text.RegularExpressions;

namespace Sluice.Architecture.Tests;

/// <summary>Documentation names files and methods; these tests hold the names against the code.</summary>
public sealed partial class DocumentationTests
{
    private const int StopCount = 14;

    [Fact]
    public void ArchitecturePage_Stops_AreFourteen()
    {
        string text = File.ReadAllText(Path.Combine(Repository.Root, "docs/architecture.md"));
        Assert.Equal(Enumerable.Range(1, StopCount), NumberedStop().Matches(text).Select(match => int.Parse(match.Groups[1].Value)));
        Assert.All(NumberedStop().Matches(text), match => Assert.Matches(Reference(), match.Value));
    }

    [Fact]
    public void Documentation_FilesAndMethods_Exist()
    {
        string[] pages = [.. Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs"), "*.md", SearchOption.AllDirectories), Path.Combine(Repository.Root, "CONTRIBUTING.md")];
        string[] sources = [.. new[] { "src", "tests", "bench", "samples" }.Where(folder => Directory.Exists(Path.Combine(Repository.Root, folder))).SelectMany(Repository.SourceFiles)];
        foreach (string page in pages)
        {
            foreach (Match reference in Reference().Matches(File.ReadAllText(page)))
            {
                string file = reference.Groups["file"].Value;
                string? source = sources.FirstOrDefault(path => path.EndsWith("/" + file, StringComparison.Ordinal));
                Assert.True(source is not null, $"{Repository.Relative(page)} names {file}, which does not exist.");
                string method = reference.Groups["method"].Value;
                bool exists = method.Length == 0 || Regex.IsMatch(File.ReadAllText(source), $@"\b{Regex.Escape(method)}\b\s*(<\w+>)?\s*(\(|=>|{{)");
                Assert.True(exists, $"{Repository.Relative(page)} names {file}:{method}, which the file does not have.");
            }
        }
    }

    [Fact]
    public void Documentation_Links_LeadToFiles()
    {
        IEnumerable<string> pages = Directory.EnumerateFiles(Repository.Root, "*.md").Concat(Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs"), "*.md", SearchOption.AllDirectories));
        foreach (string page in pages)
        {
            foreach (Match link in Link().Matches(File.ReadAllText(page)))
            {
                string target = Path.Combine(Path.GetDirectoryName(page)!, link.Groups[1].Value);
                Assert.True(Path.Exists(target), $"{Repository.Relative(page)} links to {link.Groups[1].Value}, which does not exist.");
            }
        }
    }

    /// <summary>A line of the walk: a number, a dot, and what happens there.</summary>
    [GeneratedRegex(@"^(\d+)\. .*(\n   .*)*", RegexOptions.Multiline)]
    private static partial Regex NumberedStop();

    /// <summary><c>`Folder/File.cs:Method`</c> or <c>`File.cs`</c>.</summary>
    [GeneratedRegex(@"`(?<file>[\w./]+\.cs)(?::(?<method>\w+))?`")]
    private static partial Regex Reference();

    [GeneratedRegex(@"\]\((?!https?:|#|mailto:)([^)#]+)(?:#[^)]*)?\)")]
    private static partial Regex Link();
}

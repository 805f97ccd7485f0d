using System.Xml.Linq;

namespace Sluice.Architecture.Tests;

public sealed class ProjectTests
{
    // The only ways in which one project may use another.
    private static readonly Dictionary<string, string[]> Arrows = new()
    {
        ["Sluice.Compute"] = [],
        ["Sluice"] = ["Sluice.Compute"],
        ["Sluice.Server"] = ["Sluice"],
        ["Sluice.Cli"] = ["Sluice.Server"],
    };

    private static readonly HashSet<string> ProgramPackages =
    [
        "System.CommandLine", "Spectre.Console",
        "Microsoft.AspNetCore.OpenApi", "Scalar.AspNetCore",
        "OpenTelemetry", "OpenTelemetry.Exporter.OpenTelemetryProtocol", "OpenTelemetry.Extensions.Hosting",
        "Microsoft.Extensions.AI.Abstractions", "System.Numerics.Tensors", "Microsoft.Extensions.Http.Resilience",
        "Microsoft.Orleans.Server", "Yarp.ReverseProxy",
    ];

    private static readonly HashSet<string> OtherPackages =
    [
        "xunit.v3.mtp-v2", "CsCheck", "Microsoft.AspNetCore.Mvc.Testing", "OpenAI", "Microsoft.Playwright", "BenchmarkDotNet", "ScottPlot",
    ];

    [Fact]
    public void SourceProjects_References_PointOneWay()
    {
        foreach ((string project, string[] allowed) in Arrows)
        {
            XDocument document = XDocument.Load(Path.Combine(Repository.Root, "src", project, project + ".csproj"));
            string[] references = [.. Names(document, "ProjectReference").Select(path => Path.GetFileNameWithoutExtension(path.Replace('\\', '/')))];
            Assert.Equal(allowed, references);
        }
    }

    [Fact]
    public void SourceFolder_Projects_AreTheFour()
    {
        string[] projects = [.. Repository.Projects().Select(Repository.Relative).Where(path => path.StartsWith("src/", StringComparison.Ordinal)).Select(path => Path.GetFileNameWithoutExtension(path)).Order()];
        Assert.Equal(Arrows.Keys.Order(), projects);
    }

    [Fact]
    public void Projects_Packages_AreThoseDecidedOn()
    {
        foreach (string path in Repository.Projects())
        {
            bool isProgram = Repository.Relative(path).StartsWith("src/", StringComparison.Ordinal);
            foreach (string package in Names(XDocument.Load(path), "PackageReference"))
            {
                bool allowed = ProgramPackages.Contains(package) || (!isProgram && OtherPackages.Contains(package));
                Assert.True(allowed, $"{Repository.Relative(path)} uses {package}, which is not among the packages decided on.");
            }
        }
    }

    [Fact]
    public void Solution_Projects_AreAllInIt()
    {
        string solution = File.ReadAllText(Path.Combine(Repository.Root, "Sluice.slnx"));
        foreach (string path in Repository.Projects())
        {
            Assert.True(solution.Contains($"\"{Repository.Relative(path)}\"", StringComparison.Ordinal), $"{Repository.Relative(path)} is not in Sluice.slnx.");
        }
    }

    private static IEnumerable<string> Names(XDocument document, string element) =>
        document.Descendants(element).Select(reference => reference.Attribute("Include")!.Value);
}

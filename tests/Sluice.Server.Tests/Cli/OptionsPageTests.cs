using Sluice.Cli.Flags;
using Sluice.Cli.Startup;

namespace Sluice.Server.Tests.Cli;

public sealed class OptionsPageTests
{
    /// <summary>With <c>SLUICE_WRITE_DOCS=1</c> the page is written instead.</summary>
    [Fact]
    public void OptionsPage_File_IsWhatTheTableSays()
    {
        string root = Path.GetFullPath(Path.Combine(ModelLocator.FindBundled(AppContext.BaseDirectory), "../.."));
        string path = Path.Combine(root, "docs/options.md");
        if (Environment.GetEnvironmentVariable("SLUICE_WRITE_DOCS") == "1")
        {
            File.WriteAllText(path, OptionsPage.Write());
        }

        Assert.Equal(OptionsPage.Write(), File.ReadAllText(path));
    }
}

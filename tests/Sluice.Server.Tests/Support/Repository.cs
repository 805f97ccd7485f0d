namespace Sluice.Server.Tests.Support;

/// <summary>Folders of the repository that tests run in.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    public static string Storyteller { get; } = Path.Combine(Root, "models", "storyteller-7m");

    private static string Find()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Sluice.slnx")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException("Tests run inside of the repository.");
    }
}

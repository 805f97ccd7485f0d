namespace Sluice.Cli.Startup;

/// <summary>Where a model's files are.</summary>
/// <param name="Folder">Folder with config.json.</param>
/// <param name="Name">What the user called it; the served name unless another is given.</param>
/// <param name="IsBundled">No model was named, so the one that comes with the program is meant.</param>
internal sealed record ModelLocation(string Folder, string Name, bool IsBundled);

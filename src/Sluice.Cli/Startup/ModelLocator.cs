namespace Sluice.Cli.Startup;

/// <summary>Finds a model: a folder, one in the Hugging Face cache, or the bundled one.</summary>
internal static class ModelLocator
{
    public const string BundledName = "storyteller";
    private const string BundledFolder = "models/storyteller-7m";

    // src/Sluice.Cli/bin/Release/net10.0/linux-x64 lies six folders under the repository root.
    private const int FoldersToRoot = 7;

    /// <param name="model">What the user named; null for the bundled model.</param>
    /// <param name="revision">Branch, tag or commit in the cache.</param>
    /// <param name="cacheFolder">The Hugging Face cache.</param>
    /// <exception cref="UserErrorException">There is no such model on this machine.</exception>
    public static ModelLocation Find(string? model, string revision, string cacheFolder)
    {
        if (model is null)
        {
            return new ModelLocation(FindBundled(AppContext.BaseDirectory), BundledName, IsBundled: true);
        }

        string expanded = model is "~" || model.StartsWith("~/", StringComparison.Ordinal)
            ? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) + model[1..]
            : model;
        if (Directory.Exists(expanded))
        {
            return new ModelLocation(Path.GetFullPath(expanded), model, IsBundled: false);
        }

        if (File.Exists(expanded))
        {
            throw new UserErrorException(model.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase)
                ? $"{model}: GGUF files are not supported yet; give a folder with config.json and safetensors files."
                : $"{model} is a file; give the folder that holds the model's config.json.");
        }

        bool couldBeHubName = model.Split('/') is { Length: 2 } parts && parts.All(part => part.Length > 0 && part is not ("." or ".." or "~"));
        if (couldBeHubName && FindInCache(model, revision, cacheFolder) is { } cached)
        {
            return new ModelLocation(cached, model, IsBundled: false);
        }

        throw new UserErrorException(couldBeHubName
            ? $"model '{model}' is neither a folder nor in the Hugging Face cache {cacheFolder} (revision {revision}); downloads are not supported yet, so give the path of a folder with config.json."
            : $"model folder '{model}' does not exist; give the path of a folder with config.json, or no model for the bundled one.");
    }

    /// <summary>A cached model: <c>models--org--name/snapshots/COMMIT</c>, the commit from <c>refs/REVISION</c> unless it is one itself.</summary>
    private static string? FindInCache(string model, string revision, string cacheFolder)
    {
        string folder = Path.Combine(cacheFolder, "models--" + model.Replace("/", "--", StringComparison.Ordinal));
        string reference = Path.Combine(folder, "refs", revision);
        string commit = File.Exists(reference) ? File.ReadAllText(reference).Trim() : revision;
        string snapshot = Path.Combine(folder, "snapshots", commit);
        return Directory.Exists(snapshot) ? snapshot : null;
    }

    /// <summary>Beside the published program, or up the tree from a build output to the repository root.</summary>
    internal static string FindBundled(string programFolder)
    {
        DirectoryInfo? folder = new(programFolder);
        for (int level = 0; level < FoldersToRoot && folder is not null; level++, folder = folder.Parent)
        {
            string candidate = Path.Combine(folder.FullName, BundledFolder);
            if (File.Exists(Path.Combine(candidate, "config.json")))
            {
                return candidate;
            }
        }

        throw new UserErrorException($"the bundled model is not beside the program ({Path.Combine(programFolder, BundledFolder)}); name a model folder: sluice serve MODEL");
    }
}

using System.IO.Compression;

namespace Sluice.Tests;

/// <summary>Where tests find their data: the repository's own, and the shared folder beside it where there is one.</summary>
internal static class TestData
{
    /// <summary>The root of the repository.</summary>
    public static string RepositoryRoot { get; } = FindRoot();

    /// <summary>The dense reference models: one for each variant of a supported architecture.</summary>
    public static TheoryData<string> DenseReferenceModels { get; } =
    [
        "llama", "llama-hd128", "llama-tied-bias", "mistral-swa", "qwen2", "qwen2-yarn", "qwen3", "gemma2", "gemma3", "phi3", "olmo2",
    ];

    /// <summary>Reference models that only the CPU runs yet: mixtures of experts, latent attention.</summary>
    public static TheoryData<string> ProcessorReferenceModels { get; } =
        ["mixtral", "qwen3-moe", "glm4-moe", "gpt-oss", "deepseek-v2-lite", "deepseek-v3", "deepseek-v3-realdims", "deepseek-v3-fp8"];

    /// <summary>All reference models.</summary>
    public static TheoryData<string> ReferenceModels { get; } =
        [.. DenseReferenceModels.Select(row => row.Data), .. ProcessorReferenceModels.Select(row => row.Data)];

    /// <summary>The bundled model.</summary>
    public static string Storyteller => Path.Combine(RepositoryRoot, "models", "storyteller-7m");

    /// <summary>A file or folder in tests/data.</summary>
    public static string PathOf(params string[] parts) => Path.Combine([RepositoryRoot, "tests", "data", .. parts]);

    /// <summary>A folder of the shared data outside of the repository, or null where there is none; skip the test then.</summary>
    public static string? Shared(params string[] parts)
    {
        string path = Path.Combine([RepositoryRoot, "..", "shared", .. parts]);
        return Directory.Exists(path) || File.Exists(path) ? path : null;
    }

    /// <summary>
    /// A folder with config.json, weights and expected.json; unpacked once from tests/data/reference-models. Those that the repository
    /// has no room for are in the shared folder; without it the test is skipped.
    /// </summary>
    public static string ReferenceModel(string name)
    {
        string archive = PathOf("reference-models", name + ".zip");
        var file = new FileInfo(archive);
        if (!file.Exists)
        {
            string? shared = Shared("reference-models", name);
            Assert.SkipWhen(shared is null, $"../shared/reference-models/{name} is not here; it is too large for the repository.");
            return shared!;
        }

        string parent = Path.Combine(Path.GetTempPath(), "sluice-test-data");
        string folder = Path.Combine(parent, $"{name}-{file.Length}-{file.LastWriteTimeUtc.Ticks:x}");
        if (Directory.Exists(folder))
        {
            return folder;
        }

        // Several test processes may do this at once: unpack aside, then rename; whoever comes second uses the first one's.
        string aside = Path.Combine(parent, $"{name}-{Guid.NewGuid():n}");
        ZipFile.ExtractToDirectory(archive, aside);
        try
        {
            Directory.Move(aside, folder);
        }
        catch (IOException) when (Directory.Exists(folder))
        {
            Directory.Delete(aside, recursive: true);
        }

        return folder;
    }

    /// <summary>A file in tests/data, decompressed where only "NAME.br" is there.</summary>
    public static byte[] ReadBytes(params string[] parts)
    {
        string file = PathOf(parts);
        if (File.Exists(file))
        {
            return File.ReadAllBytes(file);
        }

        using var stream = new BrotliStream(File.OpenRead(file + ".br"), CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return bytes.ToArray();
    }

    /// <summary>The lines of a text file in tests/data, as <see cref="ReadBytes"/> finds it.</summary>
    public static string[] ReadLines(params string[] parts) =>
        System.Text.Encoding.UTF8.GetString(ReadBytes(parts)).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>As <see cref="Shared"/>; the test is skipped when the data is absent.</summary>
    public static string RequireShared(params string[] parts)
    {
        string? found = Shared(parts);
        Assert.SkipWhen(found is null, $"../shared/{string.Join('/', parts)} is not here; its licence keeps it out of the repository.");
        return found!;
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Sluice.slnx")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"No Sluice.slnx above {AppContext.BaseDirectory}");
    }
}

using System.Collections.Concurrent;
using System.Text;
using System.Text.RegularExpressions;

namespace Sluice.Compute.Cuda;

/// <summary>The text of one embedded <c>.cu</c> file and of everything that it includes.</summary>
internal sealed partial class KernelSource
{
    private const string OpsFolder = "Ops/";
    private const string IncludeFolder = "Cuda/Include/";

    private static readonly ConcurrentDictionary<string, KernelSource> Loaded = new(StringComparer.Ordinal);

    private KernelSource(string path, string text)
    {
        Path = path;
        Text = text;
        var includes = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var paths = new Dictionary<string, string>(StringComparer.Ordinal);
        Collect(path, text, includes, paths);
        Includes = [.. includes.Select(pair => (pair.Key, pair.Value))];
        Samples = [.. SampleLine().Matches(text).SelectMany(match => match.Groups[1].Value.Split('|')).Select(KernelDefines.Parse)];
    }

    /// <summary>Path in the project, such as <c>Ops/Norm/RmsNorm.cu</c>.</summary>
    public string Path { get; }

    public string Text { get; }

    /// <summary>All headers, direct and indirect, by the name that <c>#include</c> uses, in the order of names.</summary>
    public IReadOnlyList<(string Name, string Text)> Includes { get; }

    /// <summary>
    /// Definitions that stand for all that the file is compiled with, from its lines <c>// samples: HEAD_DIM=64 GROUP=1 | HEAD_DIM=128 GROUP=4</c>.
    /// None when it needs none: then one form serves every model.
    /// </summary>
    public IReadOnlyList<KernelDefines> Samples { get; }

    /// <summary>Every embedded <c>.cu</c> file, as <see cref="Load"/> takes them.</summary>
    public static IReadOnlyList<string> All() =>
    [
        .. typeof(KernelSource).Assembly.GetManifestResourceNames()
            .Where(name => name.EndsWith(".cu", StringComparison.Ordinal))
            .Select(name => name.StartsWith(OpsFolder, StringComparison.Ordinal) ? name[OpsFolder.Length..] : name)
            .Order(StringComparer.Ordinal),
    ];

    /// <param name="source">File below <c>Ops</c>, or its path in the project.</param>
    public static KernelSource Load(string source) => Loaded.GetOrAdd(source, static name =>
    {
        string path = Exists(OpsFolder + name) ? OpsFolder + name : name;
        return new KernelSource(path, Read(path) ?? throw new ArgumentException($"No kernel source {name} is embedded.", nameof(source)));
    });

    /// <summary>A source that is not embedded, with the same rules for its includes.</summary>
    public static KernelSource FromText(string path, string text) => new(path, text);

    private static void Collect(string path, string text, SortedDictionary<string, string> includes, Dictionary<string, string> paths)
    {
        foreach (Match match in IncludeLine().Matches(text))
        {
            string name = match.Groups[1].Value;
            string beside = path[..(path.LastIndexOf('/') + 1)] + name;
            string included = Exists(beside) ? beside : IncludeFolder + name;
            if (paths.TryGetValue(name, out string? known))
            {
                if (known != included)
                {
                    throw new InvalidOperationException($"{path} includes {included} as \"{name}\", and so is {known}: the compiler cannot tell them apart.");
                }

                continue;
            }

            string content = Read(included) ?? throw new InvalidOperationException($"{path} includes \"{name}\", which is neither beside it nor in {IncludeFolder}.");
            paths.Add(name, included);
            includes.Add(name, content);
            Collect(included, content, includes, paths);
        }
    }

    private static bool Exists(string path) => typeof(KernelSource).Assembly.GetManifestResourceInfo(path) is not null;

    private static string? Read(string path)
    {
        using Stream? stream = typeof(KernelSource).Assembly.GetManifestResourceStream(path);
        if (stream is null)
        {
            return null;
        }

        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }

    [GeneratedRegex("""^[ \t]*#[ \t]*include[ \t]*"([^"]+)"[^\n]*$""", RegexOptions.Multiline)]
    private static partial Regex IncludeLine();

    [GeneratedRegex("""^// samples:[ \t]*(\S[^\n]*)$""", RegexOptions.Multiline)]
    private static partial Regex SampleLine();
}

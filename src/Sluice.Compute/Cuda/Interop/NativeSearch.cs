using System.Text.RegularExpressions;

namespace Sluice.Compute.Cuda.Interop;

/// <summary>
/// Where native libraries are looked for. The environment only says where things lie on this machine; it chooses no code.
/// Folders are listed in the order in which they are tried: what the user pointed at, the active Python environment, the loader's own
/// path, then toolkits, distribution folders and other Pythons.
/// </summary>
internal sealed partial record NativeSearch
{
    /// <summary>Variables that name a CUDA toolkit.</summary>
    private static readonly string[] ToolkitVariables = ["CUDA_HOME", "CUDA_PATH", "CUDA_ROOT"];

    private static readonly string[] ToolkitSubfolders = OperatingSystem.IsWindows() ? ["bin", "bin/x64"] : ["lib64", "targets/x86_64-linux/lib", "lib"];

    private static readonly string[] PythonLibraryFolders = OperatingSystem.IsWindows() ? ["Lib/site-packages"] : ["lib/python3*/site-packages", "lib/python3*/dist-packages", "lib/python3/dist-packages"];

    /// <summary>Value of a variable of the environment; null when it is not set.</summary>
    public required Func<string, string?> Variable { get; init; }

    /// <summary>Toolkit folders; <c>*</c> stands for any part of one name.</summary>
    public required IReadOnlyList<string> Toolkits { get; init; }

    /// <summary>Folders of the distribution in which libraries lie directly.</summary>
    public required IReadOnlyList<string> LibraryFolders { get; init; }

    /// <summary>Python prefixes besides the active environment's; <c>*</c> as above.</summary>
    public required IReadOnlyList<string> Pythons { get; init; }

    /// <summary>Whether the loader is asked by name (<c>LD_LIBRARY_PATH</c>, <c>ldconfig</c>, the Windows search path).</summary>
    public bool UsesLoader { get; init; } = true;

    /// <summary>The places of this machine.</summary>
    public static NativeSearch Machine()
    {
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        if (OperatingSystem.IsWindows())
        {
            string programs = Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles);
            return new NativeSearch
            {
                Variable = CudaEnvironment.Variable,
                Toolkits = [programs + "/NVIDIA GPU Computing Toolkit/CUDA/v13*", programs + "/NVIDIA GPU Computing Toolkit/CUDA/v12*"],
                LibraryFolders = [],
                Pythons = [home + "/AppData/Local/Programs/Python/Python3*"],
            };
        }

        return new NativeSearch
        {
            Variable = CudaEnvironment.Variable,
            Toolkits = ["/usr/local/cuda", "/usr/local/cuda-13*", "/usr/local/cuda-12*", "/opt/cuda", "/opt/nvidia/hpc_sdk/Linux_x86_64/*/cuda"],
            LibraryFolders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/lib/wsl/lib", "/run/opengl-driver/lib", "/usr/local/nvidia/lib64"],
            Pythons = ["/usr", "/usr/local", home + "/.local", home + "/.pyenv/versions/*", "/opt/conda", home + "/miniconda3", home + "/anaconda3", "/opt/venv"],
        };
    }

    /// <summary>Folders that the user named, by variable, with what the message calls them.</summary>
    public IEnumerable<(string Folder, string Title)> NamedFolders(NativeLibraryName library)
    {
        if (!library.IsOfToolkit)
        {
            yield break;
        }

        foreach (string variable in ToolkitVariables)
        {
            if (Variable(variable) is { Length: > 0 } root)
            {
                foreach (string subfolder in ToolkitSubfolders)
                {
                    yield return (Path.Combine(root, subfolder), $"{variable}={root}");
                }
            }
        }

        foreach (string variable in (string[])["VIRTUAL_ENV", "CONDA_PREFIX"])
        {
            if (Variable(variable) is { Length: > 0 } prefix)
            {
                foreach (string folder in PythonFolders(prefix, library))
                {
                    yield return (folder, $"{variable}={prefix}");
                }

                yield return (Path.Combine(prefix, OperatingSystem.IsWindows() ? "Library/bin" : "lib"), $"{variable}={prefix}");
            }
        }
    }

    /// <summary>Folders that are looked at when the loader knows nothing; of the many possible ones, those that are there.</summary>
    public IEnumerable<(string Folder, string Title)> UsualFolders(NativeLibraryName library)
    {
        foreach (string pattern in library.IsOfToolkit ? Toolkits : [])
        {
            foreach (string root in Expand(pattern))
            {
                foreach (string subfolder in ToolkitSubfolders)
                {
                    yield return (Path.Combine(root, subfolder), pattern);
                }
            }
        }

        foreach (string folder in LibraryFolders.Where(Directory.Exists))
        {
            yield return (folder, folder);
        }

        foreach (string pattern in (IEnumerable<string>)[.. PythonOnPath(), .. Pythons])
        {
            foreach (string prefix in Expand(pattern))
            {
                foreach (string folder in PythonFolders(prefix, library).Where(HasPackages))
                {
                    yield return (folder, "the pip wheels of " + pattern);
                }
            }
        }
    }

    // The prefix of the `python3` that a shell would start, through its links: /usr/bin/python3 -> /usr.
    private IEnumerable<string> PythonOnPath()
    {
        string program = OperatingSystem.IsWindows() ? "python.exe" : "python3";
        foreach (string folder in (Variable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
        {
            string file = Path.Combine(folder, program);
            if (!File.Exists(file))
            {
                continue;
            }

            // A virtual environment's interpreter is a link as well, but its packages lie beside the link.
            string direct = OperatingSystem.IsWindows() ? folder : Path.GetDirectoryName(folder) ?? folder;
            yield return direct;
            string? target = TryResolve(file);
            if (target is not null && Path.GetDirectoryName(Path.GetDirectoryName(target)) is { } resolved && resolved != direct)
            {
                yield return resolved;
            }

            yield break;
        }
    }

    // nvidia/cu13/lib and the like lie three folders below site-packages.
    private static bool HasPackages(string wheelFolder) => Directory.Exists(Path.GetFullPath(Path.Combine(wheelFolder, "../../..")));

    private static string? TryResolve(string file)
    {
        try
        {
            return File.ResolveLinkTarget(file, returnFinalTarget: true)?.FullName;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static IEnumerable<string> PythonFolders(string prefix, NativeLibraryName library)
    {
        if (library.WheelFolder is null)
        {
            yield break;
        }

        foreach (string packages in PythonLibraryFolders)
        {
            foreach (string folder in Expand(Path.Combine(prefix, packages)))
            {
                if (OperatingSystem.IsWindows())
                {
                    yield return Path.Combine(folder, "nvidia/cu13/bin/x86_64");
                    yield return Path.Combine(folder, "nvidia", library.WheelFolder, "bin");
                }
                else
                {
                    yield return Path.Combine(folder, "nvidia/cu13/lib");
                    yield return Path.Combine(folder, "nvidia", library.WheelFolder, "lib");
                }
            }
        }
    }

    /// <summary>Folders that match a path with <c>*</c> in some of its names, the highest version first.</summary>
    private static IEnumerable<string> Expand(string pattern)
    {
        int star = pattern.IndexOf('*');
        if (star < 0)
        {
            return [pattern];
        }

        int start = pattern.LastIndexOf('/', star) + 1;
        int end = pattern.IndexOf('/', star);
        string name = end < 0 ? pattern[start..] : pattern[start..end];
        string rest = end < 0 ? "" : pattern[(end + 1)..];
        string parent = pattern[..start];
        if (!Directory.Exists(parent))
        {
            return [];
        }

        try
        {
            return Directory.GetDirectories(parent, name)
                .OrderByDescending(folder => Digits().Replace(folder, number => number.Value.PadLeft(8, '0')), StringComparer.Ordinal)
                .SelectMany(folder => rest.Length == 0 ? [folder] : Expand(Path.Combine(folder, rest)));
        }
        catch (UnauthorizedAccessException)
        {
            return [];
        }
    }

    // Padded, 12.10 comes after 12.9.
    [GeneratedRegex(@"\d+")]
    private static partial Regex Digits();
}

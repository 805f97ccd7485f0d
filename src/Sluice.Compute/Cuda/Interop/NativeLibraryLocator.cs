using System.Runtime.InteropServices;

namespace Sluice.Compute.Cuda.Interop;

/// <summary>Finds and loads the CUDA libraries of a machine: toolkits, loader path, distribution folders and pip wheels.</summary>
/// <param name="search">Where to look.</param>
/// <param name="newestMajor">
/// Newest major version that the driver runs, 0 when that is not known: code that a newer NVRTC makes does not load on an older driver.
/// </param>
internal sealed class NativeLibraryLocator(NativeSearch search, int newestMajor = 0)
{
    /// <summary>For this machine and its driver; without a driver (filling the kernel cache of a container) every version is taken.</summary>
    public static NativeLibraryLocator Default { get; } = new(NativeSearch.Machine());

    /// <exception cref="CudaUnavailableException">Not found, or found and not loadable. One line.</exception>
    public NativeExports Load(NativeLibraryName library)
    {
        var places = new List<string>();
        string? refusal = null;
        int[] majors = AcceptedMajors(library);
        NativeExports? found = LoadFrom(search.NamedFolders(library), library, majors, places, ref refusal);
        if (found is null && search.UsesLoader)
        {
            foreach (string name in library.LoaderNames(majors))
            {
                if (NativeLibrary.TryLoad(name, out nint handle))
                {
                    return new NativeExports(handle, name, library);
                }
            }

            places.Add("the loader's path");
        }

        found ??= LoadFrom(search.UsualFolders(library), library, majors, places, ref refusal);
        return found ?? throw new CudaUnavailableException(refusal is null
            ? $"{library.Title} ({Names(library, majors)}) was not found in {string.Join(", ", places)}; {library.Fix}."
            : $"{refusal}; {library.Fix}.");
    }

    /// <summary>The accepted versions for this driver, newest first.</summary>
    private int[] AcceptedMajors(NativeLibraryName library)
    {
        if (library.Majors is [1])
        {
            return [1];
        }

        int newest = newestMajor > 0 ? newestMajor : DriverMajor();
        return newest == 0 ? [.. library.Majors] : [.. library.Majors.Where(major => major <= newest)];
    }

    private static int DriverMajor()
    {
        try
        {
            return Driver.Api.Version / 1000;
        }
        catch (CudaUnavailableException)
        {
            return 0;
        }
    }

    private static NativeExports? LoadFrom(
        IEnumerable<(string Folder, string Title)> folders, NativeLibraryName library, int[] majors, List<string> places, ref string? refusal)
    {
        foreach ((string folder, string title) in folders)
        {
            if (!places.Contains(title))
            {
                places.Add(title);
            }

            foreach (string file in FilesIn(folder, library, majors))
            {
                try
                {
                    return new NativeExports(NativeLibrary.Load(file), file, library);
                }
                catch (Exception exception) when (exception is DllNotFoundException or BadImageFormatException)
                {
                    refusal ??= $"{library.Title} lies in {file} and cannot be loaded: {OneLine(exception.Message)}";
                }
            }
        }

        return null;
    }

    private static IEnumerable<string> FilesIn(string folder, NativeLibraryName library, int[] majors)
    {
        if (!Directory.Exists(folder))
        {
            yield break;
        }

        if (OperatingSystem.IsWindows())
        {
            foreach (string name in library.WindowsPatterns.Where(name => File.Exists(Path.Combine(folder, name))))
            {
                yield return Path.Combine(folder, name);
            }

            yield break;
        }

        foreach (int major in majors)
        {
            string file = Path.Combine(folder, library.FileName(major));
            if (File.Exists(file))
            {
                yield return file;
                continue;
            }

            // Without the link that ldconfig makes: libnvrtc.so.12.8.93.
            foreach (string versioned in Directory.EnumerateFiles(folder, library.FileName(major) + ".*").OrderDescending(StringComparer.Ordinal).Take(1))
            {
                yield return versioned;
            }
        }
    }

    private static string Names(NativeLibraryName library, int[] majors) =>
        OperatingSystem.IsWindows() ? string.Join(" or ", library.WindowsPatterns) : string.Join(" or ", majors.Select(library.FileName));

    private static string OneLine(string text)
    {
        int end = text.AsSpan().IndexOfAny('\r', '\n');
        return (end < 0 ? text : text[..end]).TrimEnd('.', ' ');
    }
}

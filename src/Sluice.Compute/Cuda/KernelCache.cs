using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Sluice.Compute.Cuda;

/// <summary>
/// Compiled kernels on disk, one file each, named by the hash of everything that the result depends on. Files are written beside
/// their name and renamed, so that other processes see a whole file or none; each holds a checksum, and one that does not match is
/// as good as absent. Safe for several threads and processes.
/// </summary>
internal sealed class KernelCache
{
    /// <summary>Raised whenever the layout of files or the meaning of keys changes.</summary>
    private const int FormatVersion = 1;

    private const int HeaderBytes = 8 + 8 + SHA256.HashSizeInBytes;

    private static readonly TimeSpan LeftoverAge = TimeSpan.FromHours(1);

    private volatile string? _problem;

    /// <param name="folder">Made at the first write; null for no cache.</param>
    public KernelCache(string? folder)
    {
        Folder = folder;
        _problem = folder is null ? "Compiled kernels are not kept: there is no home folder. Set SLUICE_CACHE_DIR to a folder that can be written." : null;
    }

    /// <summary>Null for no cache.</summary>
    public string? Folder { get; }

    /// <summary>Why kernels are not kept, in one line for the user; null while they are.</summary>
    public string? Problem => _problem;

    /// <summary>The name of a kernel's file: the source's name and 128 bits of SHA-256.</summary>
    public static string Key(KernelSource source, KernelTarget target, KernelDefines defines, string compilerVersion)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, $"sluice kernel {FormatVersion}");
        Append(hash, compilerVersion);
        Append(hash, source.Path);
        Append(hash, source.Text);
        foreach ((string name, string text) in source.Includes)
        {
            Append(hash, name);
            Append(hash, text);
        }

        foreach (string option in target.CompilerOptions(defines))
        {
            Append(hash, option);
        }

        return $"{Path.GetFileNameWithoutExtension(source.Path)}-{Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16))}.kernel";
    }

    /// <summary>The kernel of a key; null when it is not there or its file is broken.</summary>
    public byte[]? TryRead(string key)
    {
        if (Folder is null)
        {
            return null;
        }

        byte[] file;
        try
        {
            file = File.ReadAllBytes(Path.Combine(Folder, key));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        if (file.Length < HeaderBytes || !file.AsSpan(0, 8).SequenceEqual(Magic) ||
            BinaryPrimitives.ReadInt64LittleEndian(file.AsSpan(8)) != file.Length - HeaderBytes)
        {
            return null;
        }

        Span<byte> checksum = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(file.AsSpan(HeaderBytes), checksum);
        return checksum.SequenceEqual(file.AsSpan(16, SHA256.HashSizeInBytes)) ? file[HeaderBytes..] : null;
    }

    /// <summary>Keeps a kernel. A folder that cannot be written is a <see cref="Problem"/> and costs nothing else.</summary>
    public void Write(string key, byte[] image)
    {
        if (Folder is null || _problem is not null)
        {
            return;
        }

        string temporary = Path.Combine(Folder, $".{key}.{Environment.ProcessId}.{Guid.NewGuid():N}");
        try
        {
            Directory.CreateDirectory(Folder);
            var header = new byte[HeaderBytes];
            Magic.CopyTo(header);
            BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(8), image.Length);
            SHA256.HashData(image, header.AsSpan(16));
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0))
            {
                stream.Write(header);
                stream.Write(image);
            }

            File.Move(temporary, Path.Combine(Folder, key), overwrite: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            TryDelete(temporary);
            _problem = $"Compiled kernels are not kept: {exception.Message.TrimEnd('.')}. Set SLUICE_CACHE_DIR to a folder that can be written.";
        }
    }

    /// <summary>Removes what a process left that ended while it was writing.</summary>
    public void DeleteLeftovers()
    {
        if (Folder is null || !Directory.Exists(Folder))
        {
            return;
        }

        try
        {
            foreach (string file in Directory.EnumerateFiles(Folder, ".*.kernel.*"))
            {
                if (DateTime.UtcNow - File.GetLastWriteTimeUtc(file) > LeftoverAge)
                {
                    TryDelete(file);
                }
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Leftovers only take room.
        }
    }

    private static ReadOnlySpan<byte> Magic => "SLUICEK1"u8;

    private static void TryDelete(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Another process may have removed it, or the folder is read-only.
        }
    }

    // Lengths are hashed with the texts, so that no two lists of texts look alike.
    private static void Append(IncrementalHash hash, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        hash.AppendData(length);
        hash.AppendData(bytes);
    }
}

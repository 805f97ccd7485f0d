using Microsoft.Win32.SafeHandles;

namespace Sluice.Weights;

/// <summary>
/// An open safetensors file. Data is read with positioned reads and never mapped: a file that shrinks or fails while it is
/// read must become an error and not a fault of the process. Thread-safe.
/// </summary>
internal sealed class SafetensorsFile : IDisposable
{
    private readonly SafeFileHandle _handle;
    private readonly long _dataStart;

    private SafetensorsFile(string path, SafeFileHandle handle, long dataStart, List<SafetensorsEntry> entries)
    {
        Path = path;
        Entries = entries;
        _handle = handle;
        _dataStart = dataStart;
    }

    public string Path { get; }

    /// <summary>The tensors in the order of their data.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    public static SafetensorsFile Open(string path)
    {
        SafeFileHandle? handle = null;
        try
        {
            // No lock: network file systems may not have them, and nobody else is kept from the file.
            handle = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
            long fileBytes = RandomAccess.GetLength(handle);
            Span<byte> prefix = stackalloc byte[SafetensorsHeader.PrefixBytes];
            ReadExactly(path, handle, prefix[..(int)Math.Min(fileBytes, prefix.Length)], 0);
            byte[] header = new byte[SafetensorsHeader.CheckLength(path, prefix, fileBytes)];
            ReadExactly(path, handle, header, SafetensorsHeader.PrefixBytes);
            long dataStart = SafetensorsHeader.PrefixBytes + header.Length;
            return new SafetensorsFile(path, handle, dataStart, SafetensorsHeader.Parse(path, header, fileBytes - dataStart));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            handle?.Dispose();
            throw new UserErrorException($"{path} cannot be opened: {e.Message}");
        }
        catch
        {
            handle?.Dispose();
            throw;
        }
    }

    /// <summary>Reads data of an entry.</summary>
    /// <param name="entry">One of <see cref="Entries"/>.</param>
    /// <param name="offsetBytes">From the beginning of the entry.</param>
    /// <param name="destination">Filled to the end.</param>
    public void Read(SafetensorsEntry entry, long offsetBytes, Span<byte> destination) =>
        ReadExactly(Path, _handle, destination, _dataStart + entry.Begin + offsetBytes);

    public void Dispose() => _handle.Dispose();

    private static void ReadExactly(string path, SafeFileHandle handle, Span<byte> destination, long position)
    {
        while (!destination.IsEmpty)
        {
            int count;
            try
            {
                count = RandomAccess.Read(handle, destination, position);
            }
            catch (IOException e)
            {
                throw new UserErrorException($"{path}: reading at byte {position} failed: {e.Message}");
            }

            if (count == 0)
            {
                throw new UserErrorException($"{path}: the file ends at byte {position}; {destination.Length} more were "
                    + "expected (it was cut while being read)");
            }

            destination = destination[count..];
            position += count;
        }
    }
}

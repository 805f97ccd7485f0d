using Sluice.Compute;

namespace Sluice.Weights;

/// <summary>The safetensors files of a model folder: one, or several with an index. Headers are read and checked on opening.</summary>
internal sealed class SafetensorsCheckpoint : ICheckpoint
{
    private const string SingleName = "model.safetensors";
    private const string IndexName = "model.safetensors.index.json";

    private readonly string _folder;
    private readonly List<SafetensorsFile> _files = [];
    private readonly Dictionary<string, (SafetensorsFile File, SafetensorsEntry Entry)> _tensors = new(StringComparer.Ordinal);
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);

    private SafetensorsCheckpoint(string folder) => _folder = folder;

    public IReadOnlyList<string> UnusedTensors =>
        [.. _tensors.Keys.Where(name => !_used.Contains(name)).Order(StringComparer.Ordinal)];

    public bool IsMadeUp => false;

    public static SafetensorsCheckpoint Open(string folder)
    {
        var checkpoint = new SafetensorsCheckpoint(folder);
        try
        {
            string single = Path.Combine(folder, SingleName);
            string index = Path.Combine(folder, IndexName);
            if (File.Exists(single))
            {
                checkpoint.AddFile(single);
            }
            else if (File.Exists(index))
            {
                checkpoint.AddShards(index);
            }
            else
            {
                checkpoint.AddFile(FindOnlyFile(folder));
            }

            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    public long[]? ShapeOf(string name) =>
        _tensors.TryGetValue(name, out (SafetensorsFile File, SafetensorsEntry Entry) found) ? found.Entry.Shape : null;

    public CheckpointTensor Find(string name, ReadOnlySpan<int> shape)
    {
        (SafetensorsFile file, SafetensorsEntry entry) = FindEntry(name, shape);
        DType type = SafetensorsType.ToDType(entry.TypeName) ?? throw new UserErrorException(
            $"{file.Path}: tensor {name} has the dtype {entry.TypeName}, which is not supported yet; supported are "
            + $"{SafetensorsType.Supported}");
        _used.Add(name);
        return new CheckpointTensor(name, type, file.Path, entry.Begin, entry.End - entry.Begin);
    }

    public CheckpointTensor FindBytes(string name, ReadOnlySpan<int> shape)
    {
        (SafetensorsFile file, SafetensorsEntry entry) = FindEntry(name, shape);
        if (entry.TypeName != SafetensorsType.Bytes)
        {
            throw new UserErrorException(
                $"{file.Path}: tensor {name} has the dtype {entry.TypeName}; {SafetensorsType.Bytes} was expected");
        }

        _used.Add(name);
        return new CheckpointTensor(name, DType.Float8E4M3, file.Path, entry.Begin, entry.End - entry.Begin);
    }

    public void Read(CheckpointTensor tensor, long offsetBytes, Span<byte> destination)
    {
        (SafetensorsFile file, SafetensorsEntry entry) = _tensors[tensor.Name];
        file.Read(entry, offsetBytes, destination);
    }

    public void Dispose()
    {
        foreach (SafetensorsFile file in _files)
        {
            file.Dispose();
        }
    }

    private (SafetensorsFile File, SafetensorsEntry Entry) FindEntry(string name, ReadOnlySpan<int> shape)
    {
        if (!_tensors.TryGetValue(name, out (SafetensorsFile File, SafetensorsEntry Entry) found))
        {
            throw new UserErrorException(
                $"{_folder}: tensor {name} {ShapeText(shape)} is in none of the {_files.Count} safetensors files "
                + $"({_tensors.Count} tensors), and the model needs it");
        }

        return HasShape(found.Entry, shape)
            ? found
            : throw new UserErrorException(
                $"{found.File.Path}: tensor {name} has the shape {found.Entry.ShapeText}; by config.json {ShapeText(shape)} was expected");
    }

    private void AddFile(string path)
    {
        SafetensorsFile file = SafetensorsFile.Open(path);
        _files.Add(file);
        foreach (SafetensorsEntry entry in file.Entries)
        {
            if (!_tensors.TryAdd(entry.Name, (file, entry)))
            {
                throw new UserErrorException(
                    $"{path}: tensor {SafetensorsHeader.Quote(entry.Name)} is also in {_tensors[entry.Name].File.Path}; one "
                    + "place was expected");
            }
        }
    }

    private void AddShards(string indexPath)
    {
        Dictionary<string, string> map = ShardIndex.Read(indexPath);
        foreach (string name in map.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            string path = Path.Combine(_folder, name);
            if (!File.Exists(path))
            {
                throw new UserErrorException($"{path} is missing; {indexPath} says that "
                    + $"{map.Values.Count(file => file == name)} tensors are in it");
            }

            AddFile(path);
        }

        foreach ((string tensor, string name) in map)
        {
            if (!_tensors.TryGetValue(tensor, out (SafetensorsFile File, SafetensorsEntry Entry) found)
                || Path.GetFileName(found.File.Path) != name)
            {
                throw new UserErrorException($"{Path.Combine(_folder, name)}: tensor {SafetensorsHeader.Quote(tensor)} is "
                    + $"not in it, as {IndexName} says");
            }
        }
    }

    private static string FindOnlyFile(string folder)
    {
        string[] candidates = Directory.GetFiles(folder, "*.safetensors");
        if (candidates.Length == 1)
        {
            return candidates[0];
        }

        if (candidates.Length > 1)
        {
            throw new UserErrorException($"{folder} has {candidates.Length} safetensors files but neither {SingleName} nor "
                + $"{IndexName}, which says what is where");
        }

        bool hasOther = Directory.EnumerateFiles(folder).Any(
            static file => Path.GetExtension(file) is ".bin" or ".pt" or ".pth" or ".ckpt" or ".gguf");
        throw new UserErrorException(hasOther
            ? $"{folder} has weights in another format only; safetensors files are needed (pickle files can run code and are never read)"
            : $"{folder} has no safetensors files; {SingleName} or {IndexName} with its shards was expected");
    }

    private static bool HasShape(SafetensorsEntry entry, ReadOnlySpan<int> shape)
    {
        if (entry.Shape.Length != shape.Length)
        {
            return false;
        }

        for (int i = 0; i < shape.Length; i++)
        {
            if (entry.Shape[i] != shape[i])
            {
                return false;
            }
        }

        return true;
    }

    private static string ShapeText(ReadOnlySpan<int> shape) => $"[{string.Join(", ", shape.ToArray())}]";
}

using Sluice.Compute;
using Sluice.Weights;

namespace Sluice.Tests.Weights;

public sealed class SafetensorsCheckpointTests
{
    private const string Index = "model.safetensors.index.json";
    private static readonly byte[] A = SafetensorsWriter.File("a", "BF16", "[2,3]", 12);
    private static readonly byte[] B = SafetensorsWriter.File("b", "I32", "[2]", 8);

    [Fact]
    public void Open_Shards_FindsTensorsInEach()
    {
        using TemporaryFolder folder = Shards("""{"metadata":{"total_size":20},"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}""");
        using SafetensorsCheckpoint checkpoint = SafetensorsCheckpoint.Open(folder.Path);

        CheckpointTensor tensor = checkpoint.Find("a", [2, 3]);

        Assert.Equal((DType.BFloat16, 12), (tensor.Type, tensor.SizeBytes));
        Assert.Equal(["b"], checkpoint.UnusedTensors);
        byte[] bytes = new byte[3];
        checkpoint.Read(tensor, 4, bytes);
        Assert.Equal([4, 5, 6], bytes);
    }

    [Fact]
    public void Find_MissingOrOfAnotherShapeOrType_SaysWhatWasFoundAndExpected()
    {
        using TemporaryFolder folder = Shards("""{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}""");
        using SafetensorsCheckpoint checkpoint = SafetensorsCheckpoint.Open(folder.Path);

        Assert.Contains("tensor c [4, 5]", Assert.Throws<UserErrorException>(() => checkpoint.Find("c", [4, 5])).Message, StringComparison.Ordinal);
        string shape = Assert.Throws<UserErrorException>(() => checkpoint.Find("a", [3, 2])).Message;
        Assert.Contains("1.safetensors", shape, StringComparison.Ordinal);
        Assert.Contains("[2, 3]", shape, StringComparison.Ordinal);
        Assert.Contains("[3, 2]", shape, StringComparison.Ordinal);
        Assert.Throws<UserErrorException>(() => checkpoint.Find("a", [6]));
        Assert.Contains("F32, F16, BF16 and F8_E4M3", Assert.Throws<UserErrorException>(() => checkpoint.Find("b", [2])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"weight_map":{"a":"1.safetensors","b":"3.safetensors"}}""", "3.safetensors is missing")]
    [InlineData("""{"weight_map":{"a":"1.safetensors","b":"../2.safetensors"}}""", "../2.safetensors")]
    [InlineData("""{"weight_map":{"a":"1.safetensors","b":"/etc/passwd"}}""", "/etc/passwd")]
    [InlineData("""{"weight_map":{"a":"1.safetensors","b":"C:2.safetensors"}}""", "C:2")]
    [InlineData("""{"weight_map":{"a":"1.safetensors","b":"sub/2.safetensors"}}""", "sub/2")]
    [InlineData("""{"weight_map":{"a":"1.safetensors","b":"sub\\2.safetensors"}}""", "sub")]
    [InlineData("""{"weight_map":{"a":"1.safetensors","b":""}}""", "same folder")]
    [InlineData("""{"weight_map":{"a":"1.safetensors","b":".."}}""", "same folder")]
    [InlineData("""{"weight_map":{"a":"1.safetensors","b":"2.safetensors\u0000x"}}""", "same folder")]
    [InlineData("""{"weight_map":{"a":"1.safetensors","b":7}}""", "same folder")]
    [InlineData("""{"weight_map":{"a":"1.safetensors","b":"1.safetensors"}}""", "\"b\" is not in it")]
    [InlineData("""{"weight_map":{"a":"1.safetensors","a":"2.safetensors"}}""", "JSON")]
    [InlineData("""{"weight_map":[]}""", "weight_map")]
    [InlineData("""{}""", "weight_map")]
    [InlineData("""[]""", "weight_map")]
    [InlineData("""{"weight_map":{"a":"1.safetensors",""", "JSON")]
    [InlineData("", "JSON")]
    public void Open_BrokenIndex_NamesWhatIsWrong(string index, string named)
    {
        using TemporaryFolder folder = Shards(index);

        var error = Assert.Throws<UserErrorException>(() => SafetensorsCheckpoint.Open(folder.Path));

        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Open_TensorInTwoShards_NamesBoth()
    {
        using TemporaryFolder folder = Shards("""{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}""");
        folder.Write("2.safetensors", SafetensorsWriter.File("a", "I32", "[2]", 8));

        string message = Assert.Throws<UserErrorException>(() => SafetensorsCheckpoint.Open(folder.Path)).Message;

        Assert.Contains("1.safetensors", message, StringComparison.Ordinal);
        Assert.Contains("2.safetensors", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_TruncatedShard_NamesIt()
    {
        using TemporaryFolder folder = Shards("""{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}""");
        folder.Write("2.safetensors", B.AsSpan(0, B.Length - 1));

        string message = Assert.Throws<UserErrorException>(() => SafetensorsCheckpoint.Open(folder.Path)).Message;

        Assert.Contains("2.safetensors: truncated", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("readme.txt", "no safetensors files")]
    [InlineData("pytorch_model.bin", "another format")]
    public void Open_FolderWithoutSafetensors_SaysWhatIsNeeded(string other, string named)
    {
        using var folder = new TemporaryFolder();
        folder.Write(other, "x");

        Assert.Contains(named, Assert.Throws<UserErrorException>(() => SafetensorsCheckpoint.Open(folder.Path)).Message, StringComparison.Ordinal);
    }

    private static TemporaryFolder Shards(string index)
    {
        var folder = new TemporaryFolder();
        folder.Write("1.safetensors", A);
        folder.Write("2.safetensors", B);
        folder.Write(Index, index);
        return folder;
    }
}

using System.Buffers.Binary;
using System.Diagnostics;
using Sluice.Weights;

namespace Sluice.Tests.Weights;

public sealed class SafetensorsFileTests
{
    private const string TwoTensors = """
        {"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]},
         "a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}}
        """;

    // A damaged file must be refused at once, never after reading or allocating by its numbers.
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    [Fact]
    public void Open_GoodFile_ListsTensorsInTheOrderOfTheirData()
    {
        using var folder = new TemporaryFolder();
        using SafetensorsFile file = SafetensorsFile.Open(folder.Write("m.safetensors", SafetensorsWriter.File(TwoTensors, 20)));

        Assert.Equal(["a", "b"], file.Entries.Select(entry => entry.Name));
        Assert.Equal([2L, 3L], file.Entries[0].Shape);
        byte[] bytes = new byte[4];
        file.Read(file.Entries[1], 2, bytes);
        Assert.Equal([14, 15, 16, 17], bytes);
    }

    [Theory]
    [InlineData("{}", 0)]
    [InlineData("{}   ", 0)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}""", 4)]
    [InlineData("""{"a":{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]}}""", 0)]
    [InlineData("""{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8],"note":{"x":[1]}}}""", 8)]
    [InlineData("""{"a":{"dtype":"F4","shape":[3,2],"data_offsets":[0,3]}}""", 3)]
    public void Open_UnusualButValidFile_IsRead(string header, int dataBytes)
    {
        using var folder = new TemporaryFolder();
        SafetensorsFile.Open(folder.Write("m.safetensors", SafetensorsWriter.File(header, dataBytes))).Dispose();
    }

    [Theory]
    [InlineData("""x""", 0, "{")]
    [InlineData(""" {}""", 0, "{")]
    [InlineData("""{""", 0, "JSON")]
    [InlineData("""{}x""", 0, "JSON")]
    [InlineData("""{} {}""", 0, "JSON")]
    [InlineData("""{"a":}""", 0, "JSON")]
    [InlineData("""{"\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, "JSON")]
    [InlineData("""{"a":{"dtype":"F32","shape":[[[[[[[[[[1]]]]]]]]]],"data_offsets":[0,4]}}""", 4, "shape")]
    [InlineData("""{"a":{"x":[[[[[[[[[[1]]]]]]]]]],"dtype":"F32"}}""", 4, "JSON")]
    [InlineData("""{"a":1}""", 0, "object")]
    [InlineData("""{"a":null}""", 0, "object")]
    [InlineData("""{"a":{"shape":[1],"data_offsets":[0,4]}}""", 4, "dtype")]
    [InlineData("""{"a":{"dtype":"F32","data_offsets":[0,4]}}""", 4, "shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1]}}""", 4, "data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}""", 4, "data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}""", 4, "data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":"0"}}""", 4, "data_offsets")]
    [InlineData("""{"a":{"dtype":5,"shape":[1],"data_offsets":[0,4]}}""", 4, "dtype")]
    [InlineData("""{"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}""", 4, "F33")]
    [InlineData("""{"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}""", 4, "f32")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", 4, "shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}""", 4, "shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}""", 4, "shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}}""", 4, "shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}""", 4, "larger")]
    [InlineData("""{"a":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807,9223372036854775807],"data_offsets":[0,4]}}""", 4, "larger")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}""", 4, "shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4, "takes 8")]
    [InlineData("""{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}""", 1, "takes 1")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", 4, "before it begins")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "hole")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}""", 4, "data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "overlaps")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, "overlaps")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}""", 12, "hole")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 4, "truncated")]
    [InlineData("""{"a":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}}""", 4, "larger")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 5, "follow")]
    [InlineData("""{}""", 1, "follow")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "twice")]
    [InlineData("""{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, "twice")]
    public void Open_BrokenHeader_NamesTheFileAndTheRule(string header, int dataBytes, string named)
    {
        string message = OpenBroken(SafetensorsWriter.File(header, dataBytes));

        Assert.Contains(named, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_HeaderOfInvalidUtf8_IsRefused()
    {
        byte[] file = SafetensorsWriter.File("""{"abc":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4);
        file[8 + 3] = 0xFF;

        Assert.Contains("JSON", OpenBroken(file), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ulong.MaxValue)]
    [InlineData(1UL << 63)]
    [InlineData(100_000_001UL)]
    [InlineData(1_000UL)]
    public void Open_HeaderLongerThanTheFile_IsRefused(ulong length)
    {
        byte[] file = SafetensorsWriter.File(TwoTensors, 20);
        BinaryPrimitives.WriteUInt64LittleEndian(file, length);

        Assert.Contains($"{length}", OpenBroken(file), StringComparison.Ordinal);
    }

    [Fact]
    public void Open_HeaderOverTheFormatsLimit_IsRefusedUnread()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "m.safetensors");
        using (FileStream stream = File.Create(path))
        {
            stream.Write(BitConverter.GetBytes(100_000_001UL));
            stream.SetLength(200_000_000);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.Throws<UserErrorException>(() => SafetensorsFile.Open(path));

        Assert.Contains("100000000", error.Message, StringComparison.Ordinal);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1 << 20);
    }

    [Fact]
    public void Open_CutAnywhere_IsRefused()
    {
        byte[] file = SafetensorsWriter.File(TwoTensors, 20);
        for (int length = 0; length < file.Length; length++)
        {
            OpenBroken(file.AsSpan(0, length));
        }
    }

    [Fact]
    public void Open_AnyByteOfTheHeaderChanged_IsReadOrRefusedCleanly()
    {
        byte[] file = SafetensorsWriter.File(TwoTensors, 20);
        using var folder = new TemporaryFolder();
        for (int index = 0; index < file.Length - 20; index++)
        {
            foreach (byte value in "\0\"{}[]:,9-x\u00FF"u8)
            {
                byte[] changed = [.. file];
                changed[index] = value;
                string path = folder.Write("m.safetensors", changed);
                try
                {
                    SafetensorsFile.Open(path).Dispose();
                }
                catch (UserErrorException e)
                {
                    Assert.Contains(path, e.Message, StringComparison.Ordinal);
                }
            }
        }
    }

    [Fact]
    public void Read_FileCutAfterOpening_IsAUserError()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("m.safetensors", SafetensorsWriter.File(TwoTensors, 20));
        using SafetensorsFile file = SafetensorsFile.Open(path);
        using (var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            stream.SetLength(stream.Length - 6);
        }

        var error = Assert.Throws<UserErrorException>(() => file.Read(file.Entries[1], 0, new byte[8]));

        Assert.Contains(path, error.Message, StringComparison.Ordinal);
    }

    private static string OpenBroken(ReadOnlySpan<byte> content)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("m.safetensors", content);
        var clock = Stopwatch.StartNew();
        var error = Assert.Throws<UserErrorException>(() => SafetensorsFile.Open(path).Dispose());
        Assert.True(clock.Elapsed < Longest);
        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
        return error.Message;
    }
}

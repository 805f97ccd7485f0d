using Sluice.Compute.Cuda;

namespace Sluice.Compute.Tests.Cuda;

public sealed class KernelCacheTests : IDisposable
{
    private const string Key = "Norm-0123.kernel";

    private static readonly byte[] Image = [.. Enumerable.Range(0, 5000).Select(i => (byte)(i * 7))];

    private readonly string _folder = Path.Combine(Path.GetTempPath(), "sluice-cache-" + Guid.NewGuid().ToString("N"));

    public void Dispose()
    {
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    [Fact]
    public void TryRead_WrittenEntry_ReturnsItsBytes()
    {
        var cache = new KernelCache(_folder);
        Assert.Null(cache.TryRead(Key));

        cache.Write(Key, Image);

        Assert.Equal(Image, cache.TryRead(Key));
        Assert.Equal(Image, new KernelCache(_folder).TryRead(Key));
        Assert.Equal([Path.Combine(_folder, Key)], Directory.GetFiles(_folder));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(47)]
    [InlineData(48)]
    [InlineData(3000)]
    public void TryRead_TruncatedEntry_IsAbsentUntilWrittenAgain(int length)
    {
        var cache = new KernelCache(_folder);
        cache.Write(Key, Image);
        string file = Path.Combine(_folder, Key);
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..length]);

        Assert.Null(cache.TryRead(Key));

        cache.Write(Key, Image);
        Assert.Equal(Image, cache.TryRead(Key));
    }

    [Fact]
    public void TryRead_AnyChangedByte_IsAbsent()
    {
        var cache = new KernelCache(_folder);
        cache.Write(Key, Image);
        string file = Path.Combine(_folder, Key);
        byte[] whole = File.ReadAllBytes(file);
        foreach (int position in new[] { 0, 8, 15, 16, 47, 48, 49, whole.Length - 1 })
        {
            byte[] broken = [.. whole];
            broken[position] ^= 0x10;
            File.WriteAllBytes(file, broken);
            Assert.True(cache.TryRead(Key) is null, $"A change at byte {position} was not noticed.");
        }
    }

    [Fact]
    public void Write_FolderThatCannotBeMade_SaysSoAndGoesOn()
    {
        Directory.CreateDirectory(_folder);
        string file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");
        var cache = new KernelCache(Path.Combine(file, "kernels"));
        Assert.Null(cache.Problem);

        cache.Write(Key, Image);
        cache.Write(Key, Image);

        Assert.Null(cache.TryRead(Key));
        Assert.Contains("SLUICE_CACHE_DIR", cache.Problem, StringComparison.Ordinal);
        Assert.Contains(file, cache.Problem, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', cache.Problem!);
    }

    [Fact]
    public void Write_NoFolder_KeepsNothing()
    {
        var cache = new KernelCache(null);
        cache.Write(Key, Image);
        Assert.NotNull(cache.Problem);
        Assert.Null(cache.TryRead(Key));
    }

    [Fact]
    public void Write_ManyWritersAndReaders_NeverShowHalfAnEntry()
    {
        byte[][] images = [.. Enumerable.Range(1, 4).Select(i => Enumerable.Repeat((byte)i, 200_000 * i).ToArray())];
        int seen = 0;
        int writing = images.Length;
        Thread[] threads = new Thread[2 * images.Length];
        for (int i = 0; i < threads.Length; i++)
        {
            int index = i;
            // Each has a cache of its own, as processes do.
            var cache = new KernelCache(_folder);
            threads[i] = new Thread(index < images.Length ? Write : Read);
            threads[i].Start();

            void Write()
            {
                for (int round = 0; round < 40; round++)
                {
                    cache.Write(Key, images[index]);
                }

                Interlocked.Decrement(ref writing);
            }

            void Read()
            {
                while (Volatile.Read(ref writing) > 0)
                {
                    if (cache.TryRead(Key) is { } image)
                    {
                        Interlocked.Add(ref seen, image.Length == 200_000 * image[0] ? 1 : int.MinValue / 2);
                    }
                }
            }
        }

        foreach (Thread thread in threads)
        {
            thread.Join();
        }

        Assert.True(seen > 0);
        Assert.Single(Directory.GetFiles(_folder));
    }

    [Fact]
    public void DeleteLeftovers_OldTemporaryFiles_GoAndTheRestStays()
    {
        var cache = new KernelCache(_folder);
        cache.Write(Key, Image);
        string old = Path.Combine(_folder, $".{Key}.1.aa");
        string fresh = Path.Combine(_folder, $".{Key}.2.bb");
        File.WriteAllText(old, "");
        File.WriteAllText(fresh, "");
        File.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddHours(-2));

        cache.DeleteLeftovers();

        Assert.False(File.Exists(old));
        Assert.True(File.Exists(fresh));
        Assert.Equal(Image, cache.TryRead(Key));
    }

    [Fact]
    public void Key_SameInputs_IsStableAndAnyOtherInput_ChangesIt()
    {
        KernelTarget target = KernelTarget.For(90, DType.BFloat16);
        KernelDefines defines = new(("HEAD_DIM", 128));
        KernelSource source = KernelSource.FromText("Ops/Norm/Made.cu", "#include \"Types.cuh\"\n");
        string key = KernelCache.Key(source, target, defines, "12.4");

        Assert.Equal(key, KernelCache.Key(KernelSource.FromText("Ops/Norm/Made.cu", "#include \"Types.cuh\"\n"), target, KernelDefines.Parse(" HEAD_DIM=128 "), "12.4"));
        Assert.Matches("^Made-[0-9a-f]{32}\\.kernel$", key);
        string[] others =
        [
            KernelCache.Key(KernelSource.FromText("Ops/Norm/Made.cu", "#include \"Types.cuh\"\n//\n"), target, defines, "12.4"),
            KernelCache.Key(KernelSource.FromText("Ops/Norm/Made.cu", "#include \"Reduce.cuh\"\n"), target, defines, "12.4"),
            KernelCache.Key(source, KernelTarget.For(89, DType.BFloat16), defines, "12.4"),
            KernelCache.Key(source, KernelTarget.For(120, DType.BFloat16), defines, "12.4"),
            KernelCache.Key(source, KernelTarget.For(90, DType.Float16), defines, "12.4"),
            KernelCache.Key(source, target, KernelDefines.None, "12.4"),
            KernelCache.Key(source, target, defines, "12.8"),
        ];
        Assert.Equal(others.Length + 1, others.Append(key).Distinct().Count());
    }

    [Fact]
    public void Key_AnIncludedHeaderChanges_ChangesIt()
    {
        // Two headers that are embedded, included under one text each: the key follows their content, not only their names.
        KernelTarget target = KernelTarget.For(80, DType.Float16);
        KernelSource one = KernelSource.FromText("Ops/Made.cu", "#include \"Reduce.cuh\"\n");
        Assert.Contains(one.Includes, include => include.Name == "Types.cuh");
        Assert.NotEqual(
            KernelCache.Key(one, target, KernelDefines.None, "12.4"),
            KernelCache.Key(KernelSource.FromText("Ops/Made.cu", "#include \"Mma.cuh\"\n"), target, KernelDefines.None, "12.4"));
    }

    [Fact]
    public void KernelCacheFolder_Variables_AreTakenInOrder()
    {
        static string? Folder(params (string Name, string Value)[] set) =>
            CudaEnvironment.KernelCacheFolder(name => set.FirstOrDefault(pair => pair.Name == name).Value);

        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows keeps caches elsewhere");
        Assert.Equal("/own/kernels", Folder(("SLUICE_CACHE_DIR", "/own"), ("XDG_CACHE_HOME", "/xdg"), ("HOME", "/home/a")));
        Assert.Equal("/xdg/sluice/kernels", Folder(("XDG_CACHE_HOME", "/xdg"), ("HOME", "/home/a")));
        Assert.Equal("/home/a/.cache/sluice/kernels", Folder(("HOME", "/home/a")));
        Assert.Null(Folder());
    }
}

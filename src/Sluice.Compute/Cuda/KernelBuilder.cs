using System.Collections.Concurrent;
using System.Diagnostics;
using Sluice.Compute.Cuda.Interop;

namespace Sluice.Compute.Cuda;

/// <summary>
/// Makes machine code of kernel sources, from the cache on disk or with NVRTC, in parallel on threads that exist only while there is
/// something to do. One a process serves all devices, so that several of a kind compile once. Needs no GPU.
/// </summary>
internal sealed class KernelBuilder
{
    // The compiler recurses deeply over nested templates and expressions.
    private const int StackBytes = 16 << 20;

    private readonly Lazy<KernelCompiler> _compiler;
    private readonly KernelCache _cache;
    private readonly ConcurrentDictionary<(string Source, KernelTarget Target, KernelDefines Defines), KernelBuild> _builds = new();
    private readonly Queue<KernelBuild> _queue = new();
    private readonly int _threadLimit;
    private int _threads;
    private int _compiledCount;
    private int _cachedCount;
    private long _compileTicks;

    /// <param name="cache">Where results are kept.</param>
    /// <param name="threadLimit">By default one for each processor.</param>
    public KernelBuilder(KernelCache cache, int? threadLimit = null)
    {
        _cache = cache;
        _compiler = new Lazy<KernelCompiler>(() => new KernelCompiler(Nvrtc.Api));
        _threadLimit = threadLimit ?? Environment.ProcessorCount;
        cache.DeleteLeftovers();
    }

    /// <summary>Kernels that NVRTC compiled since the start.</summary>
    public int CompiledCount => Volatile.Read(ref _compiledCount);

    /// <summary>Kernels that came from the cache.</summary>
    public int CachedCount => Volatile.Read(ref _cachedCount);

    /// <summary>Time inside NVRTC, summed over threads.</summary>
    public TimeSpan CompileTime => Stopwatch.GetElapsedTime(0, Interlocked.Read(ref _compileTicks));

    public KernelCache Cache => _cache;

    /// <summary>Version of NVRTC. Loads it.</summary>
    /// <exception cref="CudaUnavailableException">NVRTC is missing or too old.</exception>
    public string CompilerVersion => _compiler.Value.Version;

    /// <summary>Starts building in the background. The same source, target and definitions are built once.</summary>
    public KernelBuild Start(string source, KernelTarget target, KernelDefines defines)
    {
        KernelBuild build = Get(source, target, defines, out bool isNew);
        if (isNew)
        {
            Enqueue(build);
        }

        return build;
    }

    /// <summary>The machine code, built on the calling thread when nobody has begun.</summary>
    public byte[] Build(string source, KernelTarget target, KernelDefines defines) => Get(source, target, defines, out _).Result();

    /// <summary>Waits for everything that was started, and helps with it.</summary>
    /// <exception cref="CudaException">A kernel does not compile.</exception>
    public void WaitForAll()
    {
        foreach (KernelBuild build in _builds.Values)
        {
            _ = build.Result();
        }
    }

    internal byte[] ReadOrCompile(KernelBuild build)
    {
        string key = KernelCache.Key(build.Source, build.Target, build.Defines, _compiler.Value.Version);
        if (_cache.TryRead(key) is { } kept)
        {
            Interlocked.Increment(ref _cachedCount);
            return kept;
        }

        long start = Stopwatch.GetTimestamp();
        byte[] image = _compiler.Value.Compile(build.Source, build.Target, build.Defines);
        Interlocked.Add(ref _compileTicks, Stopwatch.GetTimestamp() - start);
        Interlocked.Increment(ref _compiledCount);
        _cache.Write(key, image);
        return image;
    }

    private KernelBuild Get(string source, KernelTarget target, KernelDefines defines, out bool isNew)
    {
        isNew = false;
        var key = (source, target, defines);
        if (_builds.TryGetValue(key, out KernelBuild? known))
        {
            return known;
        }

        var build = new KernelBuild(this, KernelSource.Load(source), target, defines);
        KernelBuild kept = _builds.GetOrAdd(key, build);
        isNew = ReferenceEquals(kept, build);
        return kept;
    }

    private void Enqueue(KernelBuild build)
    {
        lock (_queue)
        {
            _queue.Enqueue(build);
            if (_threads < _threadLimit)
            {
                _threads++;
                new Thread(Work, StackBytes) { IsBackground = true, Name = "sluice-kernels", Priority = ThreadPriority.BelowNormal }.Start();
            }
        }
    }

    private void Work()
    {
        while (true)
        {
            KernelBuild? build;
            lock (_queue)
            {
                if (!_queue.TryDequeue(out build))
                {
                    _threads--;
                    return;
                }
            }

            build.TryRun();
        }
    }
}

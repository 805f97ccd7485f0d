using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Sluice.Compute.Cuda.Interop;

namespace Sluice.Compute.Cuda;

/// <summary>
/// The kernels of one device: built at first use or ahead of it, loaded once, launched without allocation. Owned by the device's
/// context, which is current on every thread that calls; disposed before it.
/// </summary>
internal sealed unsafe class KernelStore : IDisposable
{
    private const int DefaultSharedLimitBytes = 48 << 10;
    private const int PortableClusterSize = 8;

    private readonly Driver _driver = Driver.Api;
    private readonly KernelBuilder _builder;
    private readonly ConcurrentDictionary<(KernelDefinition Kernel, KernelDefines Defines), LoadedKernel> _kernels = new();
    private readonly Dictionary<(string Source, KernelDefines Defines), nint> _modules = [];
    private readonly Lock _loadLock = new();

    public KernelStore(KernelBuilder builder, KernelTarget target)
    {
        _builder = builder;
        Target = target;
    }

    public KernelTarget Target { get; }

    /// <summary>
    /// Launches only start the compilation of what they need, in parallel, and run nothing. For a first pass over operations whose
    /// results do not matter; the second pass then finds its kernels compiled or on their way.
    /// </summary>
    public bool IsCollecting { get; set; } = DryDevice.IsOn;

    /// <summary>Enqueues one kernel.</summary>
    /// <param name="kernel">What to run.</param>
    /// <param name="defines">What its source is compiled with, besides the chip and the activation type.</param>
    /// <param name="arguments">Its parameters; copied before this returns.</param>
    /// <param name="shape">Grid and block.</param>
    /// <param name="stream">Where.</param>
    public void Launch<TArgs>(KernelDefinition<TArgs> kernel, KernelDefines defines, in TArgs arguments, in LaunchShape shape, nint stream)
        where TArgs : unmanaged
    {
        if (IsCollecting)
        {
            Prefetch(kernel, defines);
            return;
        }

        LoadedKernel loaded = Get(kernel, defines, sizeof(TArgs));
        if (shape.SharedBytes > loaded.SharedLimitBytes)
        {
            AllowShared(kernel, loaded, shape.SharedBytes);
        }

        LaunchAttribute* attributes = stackalloc LaunchAttribute[2];
        uint attributeCount = 0;
        if (shape.ClusterX > 1)
        {
            attributes[attributeCount++] = new LaunchAttribute { Id = LaunchAttributeId.ClusterDimension, X = (uint)shape.ClusterX, Y = 1, Z = 1 };
            if (shape.ClusterX > PortableClusterSize)
            {
                AllowClusters(kernel, loaded);
            }
        }

        if (shape.IsProgrammatic && Target.HasDependentLaunch)
        {
            attributes[attributeCount++] = new LaunchAttribute { Id = LaunchAttributeId.ProgrammaticStreamSerialization, X = 1 };
        }

        LaunchConfig config = new()
        {
            GridX = (uint)shape.GridX,
            GridY = (uint)shape.GridY,
            GridZ = (uint)shape.GridZ,
            BlockX = (uint)shape.BlockX,
            BlockY = (uint)shape.BlockY,
            BlockZ = 1,
            SharedBytes = (uint)shape.SharedBytes,
            Stream = stream,
            Attributes = attributes,
            AttributeCount = attributeCount,
        };
        ReadOnlySpan<int> offsets = loaded.ParameterOffsets;
        void** parameters = stackalloc void*[offsets.Length];
        CudaResult result;
        fixed (TArgs* first = &arguments)
        {
            for (int i = 0; i < offsets.Length; i++)
            {
                parameters[i] = (byte*)first + offsets[i];
            }

            result = _driver.LaunchKernelEx(&config, loaded.Function, parameters, null);
        }

        if (result != CudaResult.Success)
        {
            throw LaunchFailure(kernel, shape, result);
        }
    }

    /// <summary>Starts compiling in the background; loading happens at the first launch.</summary>
    public void Prefetch(KernelDefinition kernel, KernelDefines defines) => _builder.Start(kernel.Source, Target, defines);

    /// <summary>Blocks of a kernel that one multiprocessor holds at a time. Builds and loads it when it is not there yet.</summary>
    public int BlocksPerMultiprocessor<TArgs>(KernelDefinition<TArgs> kernel, KernelDefines defines, int blockThreads, int sharedBytes)
        where TArgs : unmanaged
    {
        if (DryDevice.IsOn)
        {
            Prefetch(kernel, defines);
            return 1;
        }

        LoadedKernel loaded = Get(kernel, defines, sizeof(TArgs));
        if (sharedBytes > loaded.SharedLimitBytes)
        {
            AllowShared(kernel, loaded, sharedBytes);
        }

        int blocks;
        Driver.Check(_driver.OccupancyMaxActiveBlocks(&blocks, loaded.Function, blockThreads, (nuint)sharedBytes), "cuOccupancyMaxActiveBlocksPerMultiprocessor");
        return blocks;
    }

    /// <summary>Unloads the modules. The context is still there and current.</summary>
    public void Dispose()
    {
        lock (_loadLock)
        {
            foreach (nint module in _modules.Values)
            {
                // After a sticky error nothing can be unloaded, and nothing needs to be.
                _ = _driver.ModuleUnload(module);
            }

            _modules.Clear();
            _kernels.Clear();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private LoadedKernel Get(KernelDefinition kernel, KernelDefines defines, int argumentBytes) =>
        _kernels.TryGetValue((kernel, defines), out LoadedKernel? loaded) ? loaded : Load(kernel, defines, argumentBytes);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private LoadedKernel Load(KernelDefinition kernel, KernelDefines defines, int argumentBytes)
    {
        byte[] image = _builder.Build(kernel.Source, Target, defines);
        lock (_loadLock)
        {
            if (_kernels.TryGetValue((kernel, defines), out LoadedKernel? known))
            {
                return known;
            }

            nint module = LoadModule(kernel, defines, image);
            using var texts = new NativeTexts();
            nint function;
            Driver.Check(_driver.ModuleGetFunction(&function, module, texts.Add(kernel.Function)), $"cuModuleGetFunction of {kernel}");
            var loaded = new LoadedKernel(function, ParameterOffsets(kernel, function, argumentBytes));
            _kernels[(kernel, defines)] = loaded;
            return loaded;
        }
    }

    private nint LoadModule(KernelDefinition kernel, KernelDefines defines, byte[] image)
    {
        if (_modules.TryGetValue((kernel.Source, defines), out nint module))
        {
            return module;
        }

        fixed (byte* bytes = image)
        {
            Driver.Check(_driver.ModuleLoadDataEx(&module, bytes, 0, null, null), $"cuModuleLoadDataEx of {kernel.Source} ({Target.Architecture})");
        }

        _modules.Add((kernel.Source, defines), module);
        return module;
    }

    /// <summary>
    /// Where each parameter of a kernel lies in the struct of its arguments. The driver knows the compiled kernel's own layout, so a
    /// struct that does not fit it is found here and not in wrong results. The layout as a whole may begin beyond zero: tensor maps are
    /// aligned to 64 bytes where the chip keeps them, and what comes before them there is the driver's.
    /// </summary>
    private int[] ParameterOffsets(KernelDefinition kernel, nint function, int argumentBytes)
    {
        var offsets = new List<int>();
        nuint start = 0;
        nuint end = 0;
        nuint offset, size;
        while (_driver.FuncGetParamInfo(function, (nuint)offsets.Count, &offset, &size) == CudaResult.Success)
        {
            start = offsets.Count == 0 ? offset : start;
            offsets.Add((int)(offset - start));
            end = offset - start + size;
        }

        if ((int)end > argumentBytes || argumentBytes - (int)end >= sizeof(long))
        {
            throw new InvalidOperationException($"{kernel} takes {end} bytes of parameters and {kernel.ArgumentsType.Name} has {argumentBytes}.");
        }

        return [.. offsets];
    }

    private void AllowShared(KernelDefinition kernel, LoadedKernel loaded, int sharedBytes)
    {
        Driver.Check(
            _driver.FuncSetAttribute(loaded.Function, FunctionAttribute.MaxDynamicSharedBytes, sharedBytes),
            $"cuFuncSetAttribute: {sharedBytes} bytes of shared memory for {kernel}");
        loaded.SharedLimitBytes = sharedBytes;
    }

    private void AllowClusters(KernelDefinition kernel, LoadedKernel loaded)
    {
        if (!loaded.HasLargeClusters)
        {
            Driver.Check(_driver.FuncSetAttribute(loaded.Function, FunctionAttribute.NonPortableClusterSizeAllowed, 1), $"cuFuncSetAttribute: clusters of more than 8 blocks for {kernel}");
            loaded.HasLargeClusters = true;
        }
    }

    private static CudaException LaunchFailure(KernelDefinition kernel, in LaunchShape shape, CudaResult result) => new(
        $"Launching {kernel} (grid {shape.GridX} x {shape.GridY} x {shape.GridZ}, block {shape.BlockX} x {shape.BlockY}, shared {shape.SharedBytes} bytes, cluster {shape.ClusterX})", result);

    /// <summary>A function of a loaded module and what it has been allowed so far.</summary>
    private sealed class LoadedKernel(nint function, int[] parameterOffsets)
    {
        public nint Function { get; } = function;

        public int[] ParameterOffsets { get; } = parameterOffsets;

        public int SharedLimitBytes { get; set; } = DefaultSharedLimitBytes;

        public bool HasLargeClusters { get; set; }
    }
}

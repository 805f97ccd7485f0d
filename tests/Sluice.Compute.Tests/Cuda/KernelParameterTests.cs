using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Sluice.Compute.Cuda;
using Sluice.Compute.Cuda.Interop;

namespace Sluice.Compute.Tests.Cuda;

/// <summary>Argument structs are handed to the device byte by byte, so they must say what the kernel's source says.</summary>
public sealed class KernelParameterTests
{
    [Fact]
    public void Definitions_Arguments_AreTheKernelsParameters()
    {
        var faults = new List<string>();
        foreach ((FieldInfo field, KernelDefinition definition) in KernelParameters.Definitions())
        {
            Dictionary<string, string[]> kernels = KernelParameters.InSource(WithIncludes(definition.Source));
            string place = $"{field.DeclaringType!.Name}.{field.Name}";
            if (!kernels.TryGetValue(definition.Function, out string[]? parameters))
            {
                faults.Add($"{place}: {definition.Source} has no kernel {definition.Function}.");
                continue;
            }

            string[] arguments = KernelParameters.InStruct(definition.ArgumentsType);
            if (!parameters.SequenceEqual(arguments))
            {
                int index = Enumerable.Range(0, Math.Max(parameters.Length, arguments.Length))
                    .First(i => parameters.ElementAtOrDefault(i) != arguments.ElementAtOrDefault(i));
                faults.Add($"{place}: parameter {index} of {definition} is {parameters.ElementAtOrDefault(index) ?? "absent"}, in {definition.ArgumentsType.Name} it is {arguments.ElementAtOrDefault(index) ?? "absent"}.");
            }
        }

        Assert.True(faults.Count == 0, string.Join('\n', faults));
    }

    [Fact]
    public void Definitions_Arguments_HaveTheDevicesLayout()
    {
        foreach ((_, KernelDefinition definition) in KernelParameters.Definitions())
        {
            Type type = definition.ArgumentsType;
            Assert.True(type.IsLayoutSequential, $"{type.FullName} is not sequential.");
            Assert.True(type.StructLayoutAttribute is null or { Pack: 0 or 8 }, $"{type.FullName} is packed.");

            // A tensor map is aligned to 64 bytes on the device, and C# knows no such alignment: only maps may stand before a map.
            string[] fields = KernelParameters.InStruct(type);
            int lastMap = Array.LastIndexOf(fields, "TensorMap");
            Assert.True(fields.Take(lastMap + 1).All(field => field == "TensorMap"), $"{type.FullName}: tensor maps come first.");
        }
    }

    [Fact]
    public void Sources_Kernels_AllHaveALauncher()
    {
        HashSet<(string, string)> launched = [.. KernelParameters.Definitions().Select(pair => (pair.Definition.Source, pair.Definition.Function))];
        foreach (string source in KernelSource.All())
        {
            foreach (string function in KernelParameters.InSource(KernelSource.Load(source).Text).Keys)
            {
                Assert.True(launched.Contains((source, function)), $"{source}: nothing launches {function}.");
            }
        }
    }

    [Fact]
    public void InSource_FormsOfParameters_AreRecognised()
    {
        const string Text = """
            // extern "C" __global__ void not_this(int a);
            extern "C" __global__ void __launch_bounds__(THREADS, (MIN + 1)) first(
                const __grid_constant__ TensorMap map, const act_t* __restrict__ x, /* rows */ const i64 stride, unsigned int n, u64 seed,
                float scale, int* const counts, long long last)
            {
            }
            extern "C" __global__ __launch_bounds__(256) void second(u32 n) { }
            extern "C" __global__ void third(short n, Pair<int, int> p) { }
            """;

        Dictionary<string, string[]> kernels = KernelParameters.InSource(Text);

        Assert.Equal(["first", "second", "third"], kernels.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(["TensorMap", "pointer", "long", "uint", "ulong", "float", "pointer", "long"], kernels["first"]);
        Assert.Equal(["uint"], kernels["second"]);
        Assert.All(kernels["third"], type => Assert.Contains("not a parameter type", type, StringComparison.Ordinal));
    }

    [Fact]
    public void Structs_OfTheDriver_HaveItsSizes()
    {
        Assert.Equal(56, Unsafe.SizeOf<LaunchConfig>());
        Assert.Equal(32, Marshal.OffsetOf<LaunchConfig>(nameof(LaunchConfig.Stream)));
        Assert.Equal(72, Unsafe.SizeOf<LaunchAttribute>());
        Assert.Equal(128, Unsafe.SizeOf<TensorMap>());
        Assert.Equal(128, Unsafe.SizeOf<Copy2D>());
        Assert.Equal(64, Unsafe.SizeOf<MatmulAlgo>());
        Assert.Equal(96, Unsafe.SizeOf<MatmulHeuristicResult>());
    }

    private static string WithIncludes(string source)
    {
        KernelSource kernel = KernelSource.Load(source);
        return string.Join('\n', kernel.Includes.Select(include => include.Text).Append(kernel.Text));
    }
}

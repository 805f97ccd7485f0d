using System.Reflection;
using System.Text.RegularExpressions;
using Sluice.Compute.Cuda;
using Sluice.Compute.Cuda.Interop;

namespace Sluice.Compute.Tests.Cuda;

/// <summary>A kernel's parameters as its <c>.cu</c> file writes them, and as its launcher's struct does, in the same words.</summary>
internal static partial class KernelParameters
{
    /// <summary>Every kernel of a source with its parameters: <c>pointer</c>, <c>int</c>, <c>uint</c>, <c>long</c>, <c>ulong</c>, <c>float</c>, <c>TensorMap</c>.</summary>
    public static Dictionary<string, string[]> InSource(string text)
    {
        var kernels = new Dictionary<string, string[]>(StringComparer.Ordinal);
        string code = Comments().Replace(text, " ");
        foreach (Match match in Kernel().Matches(code))
        {
            int open = match.Index + match.Length - 1;
            string inside = Balanced(code, open);
            string[] types = [.. SplitParameters(inside).Select(Type)];
            if (kernels.TryGetValue(match.Groups[1].Value, out string[]? other) && !other.SequenceEqual(types))
            {
                throw new InvalidOperationException($"{match.Groups[1].Value} is there twice with different parameters.");
            }

            kernels[match.Groups[1].Value] = types;
        }

        return kernels;
    }

    /// <summary>The fields of an argument struct in order.</summary>
    public static string[] InStruct(Type arguments) =>
    [
        .. arguments.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)
            .OrderBy(field => field.MetadataToken)
            .Select(field => field.FieldType switch
            {
                var type when type == typeof(nint) || type.IsPointer => "pointer",
                var type when type == typeof(int) => "int",
                var type when type == typeof(uint) => "uint",
                var type when type == typeof(long) => "long",
                var type when type == typeof(ulong) => "ulong",
                var type when type == typeof(float) => "float",
                var type when type == typeof(TensorMap) => "TensorMap",
                var type => $"{type.Name} (not a parameter type)",
            }),
    ];

    /// <summary>Every kernel definition of the assembly with the field that holds it.</summary>
    public static IReadOnlyList<(FieldInfo Field, KernelDefinition Definition)> Definitions() =>
    [
        .. typeof(KernelDefinition).Assembly.GetTypes()
            .Where(type => !type.ContainsGenericParameters)
            .SelectMany(type => type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
            .Where(field => typeof(KernelDefinition).IsAssignableFrom(field.FieldType))
            .Select(field => (field, (KernelDefinition)field.GetValue(null)!)),
    ];

    private static string Balanced(string code, int open)
    {
        int depth = 0;
        for (int i = open; i < code.Length; i++)
        {
            depth += code[i] switch { '(' => 1, ')' => -1, _ => 0 };
            if (depth == 0)
            {
                return code[(open + 1)..i];
            }
        }

        throw new InvalidOperationException("A parameter list has no end.");
    }

    private static IEnumerable<string> SplitParameters(string inside)
    {
        int depth = 0;
        int start = 0;
        for (int i = 0; i < inside.Length; i++)
        {
            depth += inside[i] switch { '(' or '<' or '[' => 1, ')' or '>' or ']' => -1, _ => 0 };
            if (inside[i] == ',' && depth == 0)
            {
                yield return inside[start..i];
                start = i + 1;
            }
        }

        if (inside[start..].Trim().Length > 0)
        {
            yield return inside[start..];
        }
    }

    private static string Type(string parameter)
    {
        if (parameter.Contains('*'))
        {
            return "pointer";
        }

        string[] words = [.. Word().Matches(parameter).Select(match => match.Value).Where(word => word is not ("const" or "__restrict__" or "__grid_constant__"))];
        string type = string.Join(' ', words[..^1]);
        return type switch
        {
            "int" or "i32" => "int",
            "unsigned" or "unsigned int" or "u32" => "uint",
            "long long" or "i64" => "long",
            "unsigned long long" or "u64" => "ulong",
            "float" => "float",
            "TensorMap" or "tensor_map" or "CUtensorMap" => "TensorMap",
            _ => $"{parameter.Trim()} (not a parameter type)",
        };
    }

    [GeneratedRegex(@"//[^\n]*|/\*.*?\*/", RegexOptions.Singleline)]
    private static partial Regex Comments();

    [GeneratedRegex(@"\b__global__\b\s*(?:void\s*)?(?:__(?:launch_bounds|cluster_dims|maxnreg)__\s*\((?:[^()]|\([^()]*\))*\)\s*)*(?:void\s*)?(\w+)\s*\(")]
    private static partial Regex Kernel();

    [GeneratedRegex(@"\w+")]
    private static partial Regex Word();
}

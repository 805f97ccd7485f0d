using System.Runtime.CompilerServices;

namespace Sluice.Compute.Ops;

/// <summary>Checks of shapes, and of indices that come with the data of a step.</summary>
internal static class Guard
{
    /// <summary>Throws unless 0 &lt;= index &lt; count; a wrong index would read or write foreign memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void RequireIndex(long index, long count, string name)
    {
        if ((ulong)index >= (ulong)count)
        {
            Throw(index, count, name);
        }
    }

    /// <summary>Throws unless shapes fit; kernels do not check bounds.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void RequireShapes(bool fit, string operation)
    {
        if (!fit)
        {
            ThrowShapes(operation);
        }
    }

    private static void ThrowShapes(string operation) => throw new ArgumentException($"{operation}: shapes or types do not fit each other.");

    private static void Throw(long index, long count, string name)
        => throw new ArgumentOutOfRangeException(nameof(index), index, $"The {name} must be at least 0 and below {count}.");
}

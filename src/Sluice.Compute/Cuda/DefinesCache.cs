using System.Collections.Concurrent;

namespace Sluice.Compute.Cuda;

/// <summary>The definitions of a launcher's shapes, made when a shape is first seen, so that a launch allocates nothing.</summary>
/// <param name="make">Definitions of a shape; depends on nothing else.</param>
internal sealed class DefinesCache<TShape>(Func<TShape, KernelDefines> make)
    where TShape : struct, IEquatable<TShape>
{
    private readonly ConcurrentDictionary<TShape, KernelDefines> _known = new();

    public KernelDefines For(TShape shape) => _known.GetOrAdd(shape, make);
}

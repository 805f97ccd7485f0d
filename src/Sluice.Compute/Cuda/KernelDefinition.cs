namespace Sluice.Compute.Cuda;

/// <summary>One entry function of one <c>.cu</c> file. Held in a static readonly field of its launcher.</summary>
/// <param name="source">File below <c>Ops</c>, such as <c>Norm/RmsNorm.cu</c>.</param>
/// <param name="function">The function's name, <c>extern "C"</c>.</param>
/// <param name="argumentsType">The struct of its parameters.</param>
internal abstract class KernelDefinition(string source, string function, Type argumentsType)
{
    public string Source { get; } = source;

    public string Function { get; } = function;

    public Type ArgumentsType { get; } = argumentsType;

    public override string ToString() => $"{Source}: {Function}";
}

/// <inheritdoc cref="KernelDefinition"/>
/// <typeparam name="TArgs">
/// Sequential struct whose fields are the kernel's parameters in order: <see cref="nint"/> for a pointer, int, uint, long, ulong, float,
/// 128-byte <see cref="Interop.TensorMap"/> first. Its layout in C is the kernel's parameter layout, which the driver confirms when the kernel is loaded.
/// </typeparam>
internal sealed class KernelDefinition<TArgs>(string source, string function) : KernelDefinition(source, function, typeof(TArgs))
    where TArgs : unmanaged;

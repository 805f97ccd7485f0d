using Sluice.Compute.Cuda;

namespace Sluice.Compute.Ops.Linear;

/// <summary>
/// Biases in the type that the GEMM library adds them in, which is the output's. Converted once, at the first use, since a bias is part
/// of the model; a bias that is uploaded again or freed is forgotten.
/// </summary>
internal sealed unsafe class BiasCopies(CudaContext context)
{
    private readonly Dictionary<nint, nint> _copies = [];

    /// <summary>Address of a float32 bias as <paramref name="type"/>: its own where that is float32.</summary>
    public nint For(Tensor bias, DType type)
    {
        if (type == DType.Float32)
        {
            return bias.Address;
        }

        return _copies.TryGetValue(bias.Address, out nint copy) ? copy : Convert(bias);
    }

    /// <summary>To be called when what is at an address changes.</summary>
    public void Forget(nint address)
    {
        if (_copies.Count > 0 && _copies.Remove(address, out nint copy))
        {
            context.Memory.Free(copy);
        }
    }

    private nint Convert(Tensor bias)
    {
        context.RequireNoCapture("Converting a bias");
        float[] values = new float[bias.Columns];
        byte[] converted = new byte[values.Length * context.ActivationType.SizeBytes()];
        nint copy = context.Memory.Allocate(converted.Length, MemoryKind.Weights, "a bias");
        fixed (float* source = values)
        fixed (byte* destination = converted)
        {
            context.Stream.CopyToHost((nint)source, bias.Address, values.Length * sizeof(float));
            context.Stream.Synchronize();
            Elements.Convert((byte*)source, DType.Float32, destination, context.ActivationType, values.Length);
            context.Stream.CopyToDevice(copy, (nint)destination, converted.Length);
            context.Stream.Synchronize();
        }

        _copies.Add(bias.Address, copy);
        return copy;
    }
}

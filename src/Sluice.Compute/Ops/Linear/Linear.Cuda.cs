using Sluice.Compute.Cuda;

namespace Sluice.Compute.Ops.Linear;

/// <summary>The linear layer on CUDA: tensor core products of bfloat16 or float16 with float32 accumulation.</summary>
internal static class LinearCuda
{
    /// <param name="context">The device.</param>
    /// <param name="output">[tokens, outFeatures]: the activation type or float32; rows may be strided.</param>
    /// <param name="input">[tokens, inFeatures]: the activation type; rows may be strided.</param>
    /// <param name="weight">[outFeatures, inFeatures]: the activation type.</param>
    /// <param name="bias">float32 [1, outFeatures], or none.</param>
    public static void Run(CudaContext context, Tensor output, Tensor input, Weight weight, Tensor? bias)
    {
        Guard.RequireShapes(
            input.Columns == weight.Columns && output.Columns == weight.Rows && output.Rows == input.Rows
                && input.Type == context.ActivationType && weight.Type == context.ActivationType
                && (output.Type == context.ActivationType || output.Type == DType.Float32)
                && (bias is not { } b || (b.Columns == weight.Rows && b.Type == DType.Float32)),
            nameof(Linear));
        if (input.Rows == 0)
        {
            return;
        }

        if (SkinnyLinearCuda.Fits(context, input, weight))
        {
            SkinnyLinearCuda.Run(context, output, input, weight, bias);
            return;
        }

        nint biasAddress = bias is { } vector ? context.Biases.For(vector, output.Type) : 0;
        GemmShape shape = new(
            GemmShape.BucketFor(input.Rows), weight.Rows, weight.Columns, output.Type, biasAddress != 0,
            GemmShape.AlignmentOf(input), GemmShape.AlignmentOf(output));
        GemmCall call = new(input.Rows, weight.Address, input.Address, input.RowStride, output.Address, output.RowStride, biasAddress);
        context.Gemm.Run(call, shape);
    }
}

using Sluice.Compute.Cuda.Interop;

namespace Sluice.Compute.Ops.Linear;

/// <summary>
/// The library's description of output = input * weight^T for one <see cref="GemmShape"/>, and the algorithm chosen for it. The
/// library counts columns first, so a row-major [rows, k] is its k x rows matrix: with weight as A (transposed) and input as B the
/// result is outputs x rows, which is the row-major [rows, outputs] that is wanted. Lives as long as the backend.
/// </summary>
internal sealed unsafe class GemmPlan : IDisposable
{
    private readonly CublasLt _library = CublasLt.Api;
    private readonly nint _handle;
    private readonly GemmShape _shape;
    private readonly DType _activationType;
    private readonly nint _operation;
    private readonly nint _weightLayout;
    private readonly nint _inputLayout;
    private readonly nint _outputLayout;
    private (int Rows, int InputStride, int OutputStride, nint Bias) _current;
    private MatmulAlgo _algorithm;

    public GemmPlan(nint handle, GemmShape shape, DType activationType)
    {
        _handle = handle;
        _shape = shape;
        _activationType = activationType;
        nint created;
        CublasLt.Check(_library.MatmulDescCreate(&created, CublasComputeType.Float32, CudaDataType.Float32), "cublasLtMatmulDescCreate");
        _operation = created;
        Set(MatmulDescAttribute.TransposeA, (int)CublasOperation.Transpose);
        if (shape.HasBias)
        {
            Set(MatmulDescAttribute.Epilogue, (int)MatmulEpilogue.Bias);
            Set(MatmulDescAttribute.BiasDataType, (int)TypeOf(shape.OutputType));
        }

        CudaDataType type = TypeOf(activationType);
        _weightLayout = Layout(type, shape.Inputs, shape.Outputs, shape.Inputs);
        _inputLayout = Layout(type, shape.Inputs, 1, shape.Inputs);
        _outputLayout = Layout(TypeOf(shape.OutputType), shape.Outputs, 1, shape.Outputs);
    }

    /// <summary>The algorithm of all calls.</summary>
    public ref MatmulAlgo Algorithm => ref _algorithm;

    /// <summary>
    /// Algorithms that the library thinks fast for a row count, the best first. A function of that and of the shape alone: rows are as
    /// near to each other as their alignment lets them, whatever the strides of a call.
    /// </summary>
    /// <param name="rows">Rows of the input.</param>
    /// <param name="bias">Any bias, if there is one: the library wants to see that.</param>
    /// <param name="workspaceBytes">Working memory that an algorithm may need.</param>
    /// <param name="reductions">Ways of adding parts of k that are computed apart: a mask, 0 for none.</param>
    /// <param name="results">Filled from the start.</param>
    /// <returns>How many there are.</returns>
    public int FindAlgorithms(int rows, nint bias, long workspaceBytes, uint reductions, Span<MatmulHeuristicResult> results)
    {
        Apply(new GemmCall(
            rows, 0, 0, RoundUp(_shape.Inputs, _shape.InputAlignment / _activationType.SizeBytes()),
            0, RoundUp(_shape.Outputs, _shape.OutputAlignment / _shape.OutputType.SizeBytes()), bias));
        nint preference;
        CublasLt.Check(_library.MatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
        try
        {
            ulong bytes = (ulong)workspaceBytes;
            Prefer(preference, MatmulPreferenceAttribute.MaxWorkspaceBytes, &bytes, sizeof(ulong));
            Prefer(preference, MatmulPreferenceAttribute.ReductionSchemeMask, &reductions, sizeof(uint));
            uint alignment = (uint)_shape.InputAlignment;
            Prefer(preference, MatmulPreferenceAttribute.MinAlignmentBBytes, &alignment, sizeof(uint));
            alignment = (uint)_shape.OutputAlignment;
            Prefer(preference, MatmulPreferenceAttribute.MinAlignmentCBytes, &alignment, sizeof(uint));
            Prefer(preference, MatmulPreferenceAttribute.MinAlignmentDBytes, &alignment, sizeof(uint));
            int found = 0;
            int status;
            fixed (MatmulHeuristicResult* first = results)
            {
                status = _library.MatmulAlgoGetHeuristic(
                    _handle, _operation, _weightLayout, _inputLayout, _outputLayout, _outputLayout, preference, results.Length, first, &found);
            }

            if (status == CublasLt.NotSupported)
            {
                return 0;
            }

            CublasLt.Check(status, "cublasLtMatmulAlgoGetHeuristic");
            int valid = 0;
            for (int i = 0; i < found; i++)
            {
                if (results[i].State == 0)
                {
                    results[valid++] = results[i];
                }
            }

            return valid;
        }
        finally
        {
            _ = _library.MatmulPreferenceDestroy(preference);
        }
    }

    /// <summary>Enqueues the product with an algorithm.</summary>
    public void Run(in GemmCall call, in MatmulAlgo algorithm, nint workspace, long workspaceBytes, nint stream)
    {
        int status = Enqueue(call, algorithm, workspace, workspaceBytes, stream);
        if (status != 0)
        {
            Fail(status, call);
        }
    }

    /// <summary>The same; false when the algorithm does not take these shapes.</summary>
    public bool TryRun(in GemmCall call, in MatmulAlgo algorithm, nint workspace, long workspaceBytes, nint stream)
    {
        int status = Enqueue(call, algorithm, workspace, workspaceBytes, stream);
        if (status is not (0 or CublasLt.NotSupported or CublasLt.InvalidValue))
        {
            Fail(status, call);
        }

        return status == 0;
    }

    /// <summary>A product like this one with another number of outputs.</summary>
    public GemmPlan WithoutBias(int outputs) => new(_handle, _shape with { Outputs = outputs, HasBias = false }, _activationType);

    public void Dispose()
    {
        _ = _library.MatrixLayoutDestroy(_weightLayout);
        _ = _library.MatrixLayoutDestroy(_inputLayout);
        _ = _library.MatrixLayoutDestroy(_outputLayout);
        _ = _library.MatmulDescDestroy(_operation);
    }

    private int Enqueue(in GemmCall call, in MatmulAlgo algorithm, nint workspace, long workspaceBytes, nint stream)
    {
        Apply(call);
        float one = 1;
        float zero = 0;
        fixed (MatmulAlgo* chosen = &algorithm)
        {
            return _library.Matmul(
                _handle, _operation, &one, call.Weight, _weightLayout, call.Input, _inputLayout, &zero,
                call.Output, _outputLayout, call.Output, _outputLayout, chosen, workspace, (nuint)workspaceBytes, stream);
        }
    }

    /// <summary>Puts rows, strides and the bias of a call into the descriptions; most calls only change what they share a plan for.</summary>
    private void Apply(in GemmCall call)
    {
        if (_current.Rows != call.Rows)
        {
            Set(_inputLayout, MatrixLayoutAttribute.Columns, call.Rows);
            Set(_outputLayout, MatrixLayoutAttribute.Columns, call.Rows);
        }

        if (_current.InputStride != call.InputStride)
        {
            Set(_inputLayout, MatrixLayoutAttribute.LeadingDimension, call.InputStride);
        }

        if (_current.OutputStride != call.OutputStride)
        {
            Set(_outputLayout, MatrixLayoutAttribute.LeadingDimension, call.OutputStride);
        }

        if (_current.Bias != call.Bias)
        {
            nint bias = call.Bias;
            CublasLt.Check(
                _library.MatmulDescSetAttribute(_operation, MatmulDescAttribute.BiasPointer, &bias, (nuint)sizeof(nint)), "cublasLtMatmulDescSetAttribute");
        }

        _current = (call.Rows, call.InputStride, call.OutputStride, call.Bias);
    }

    private void Fail(int status, in GemmCall call)
        => CublasLt.Check(status, $"cublasLtMatmul of {call.Rows} rows by {_shape.Outputs} x {_shape.Inputs} to {_shape.OutputType.Name()}");

    private nint Layout(CudaDataType type, int rows, int columns, int leadingDimension)
    {
        nint layout;
        CublasLt.Check(_library.MatrixLayoutCreate(&layout, type, (ulong)rows, (ulong)columns, leadingDimension), "cublasLtMatrixLayoutCreate");
        return layout;
    }

    private void Set(MatmulDescAttribute attribute, int value)
        => CublasLt.Check(_library.MatmulDescSetAttribute(_operation, attribute, &value, sizeof(int)), "cublasLtMatmulDescSetAttribute");

    private void Set(nint layout, MatrixLayoutAttribute attribute, long value)
        => CublasLt.Check(_library.MatrixLayoutSetAttribute(layout, attribute, &value, sizeof(long)), "cublasLtMatrixLayoutSetAttribute");

    private void Prefer(nint preference, MatmulPreferenceAttribute attribute, void* value, int sizeBytes)
        => CublasLt.Check(
            _library.MatmulPreferenceSetAttribute(preference, attribute, value, (nuint)sizeBytes), "cublasLtMatmulPreferenceSetAttribute");

    private static int RoundUp(int value, int multiple) => multiple <= 1 ? value : (value + multiple - 1) / multiple * multiple;

    private static CudaDataType TypeOf(DType type) => type switch
    {
        DType.BFloat16 => CudaDataType.BFloat16,
        DType.Float16 => CudaDataType.Float16,
        DType.Float32 => CudaDataType.Float32,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a type of matrix products."),
    };
}

/// <summary>The operands of one product: addresses on the device, elements from row to row.</summary>
internal readonly record struct GemmCall(int Rows, nint Weight, nint Input, int InputStride, nint Output, int OutputStride, nint Bias);

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Sluice.Compute.Cuda.Interop;

/// <summary><c>cudaDataType_t</c>.</summary>
internal enum CudaDataType
{
    Float32 = 0,
    Float16 = 2,
    BFloat16 = 14,
    Float8E4M3 = 28,
}

/// <summary><c>cublasComputeType_t</c>.</summary>
internal enum CublasComputeType
{
    Float32 = 68,
}

/// <summary><c>cublasOperation_t</c>.</summary>
internal enum CublasOperation
{
    None = 0,
    Transpose = 1,
}

/// <summary><c>cublasLtEpilogue_t</c>.</summary>
internal enum MatmulEpilogue
{
    Default = 1,
    Bias = 4,
}

/// <summary><c>cublasLtMatmulDescAttributes_t</c>.</summary>
internal enum MatmulDescAttribute
{
    ComputeType = 0,
    ScaleType = 1,
    PointerMode = 2,
    TransposeA = 3,
    TransposeB = 4,
    Epilogue = 7,
    BiasPointer = 8,
    MultiprocessorCountTarget = 15,
    AScalePointer = 17,
    BScalePointer = 18,
    FastAccumulation = 25,
    BiasDataType = 26,
}

/// <summary><c>cublasLtMatrixLayoutAttribute_t</c>.</summary>
internal enum MatrixLayoutAttribute
{
    Type = 0,
    Order = 1,
    Rows = 2,
    Columns = 3,
    LeadingDimension = 4,
    BatchCount = 5,
    StridedBatchOffset = 6,
}

/// <summary><c>cublasLtMatmulPreferenceAttributes_t</c>.</summary>
internal enum MatmulPreferenceAttribute
{
    SearchMode = 0,
    MaxWorkspaceBytes = 1,
    ReductionSchemeMask = 3,
    MinAlignmentABytes = 5,
    MinAlignmentBBytes = 6,
    MinAlignmentCBytes = 7,
    MinAlignmentDBytes = 8,
    MaxWavesCount = 9,
}

/// <summary><c>cublasLtMatmulAlgoConfigAttributes_t</c>.</summary>
internal enum MatmulAlgoAttribute
{
    Id = 0,
    TileId = 1,
    SplitKCount = 2,
    ReductionScheme = 3,
    CtaSwizzling = 4,
    CustomOption = 5,
    StagesId = 6,
    InnerShapeId = 7,
    ClusterShapeId = 8,
}

/// <summary><c>cublasLtMatmulAlgo_t</c>: 64 opaque bytes, valid for the library's version that made them.</summary>
[InlineArray(8)]
[StructLayout(LayoutKind.Sequential)]
internal struct MatmulAlgo
{
    private ulong _words;
}

/// <summary><c>cublasLtMatmulHeuristicResult_t</c>.</summary>
[StructLayout(LayoutKind.Sequential, Size = 96)]
internal struct MatmulHeuristicResult
{
    public MatmulAlgo Algorithm;
    public nuint WorkspaceBytes;

    /// <summary><c>cublasStatus_t</c>: 0 when the other fields are valid.</summary>
    public int State;

    /// <summary>Waves of thread blocks over the device; 1 fills it once.</summary>
    public float WavesCount;
}

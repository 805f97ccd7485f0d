using System.Runtime.InteropServices;

namespace Sluice.Compute.Cuda.Interop;

/// <summary>
/// cuBLASLt, 12.4 or newer. Handles, descriptions, layouts and preferences are <see cref="nint"/>; results are <c>cublasStatus_t</c>,
/// 0 is success. Loaded at first use; safe for several threads.
/// </summary>
internal sealed unsafe class CublasLt
{
    public const int InvalidValue = 7;
    public const int NotSupported = 15;

    private static readonly Lazy<CublasLt> Loaded = new(() => new CublasLt(DryDevice.IsOn ? DryDevice.CublasLtExports : NativeLibraryLocator.Default.Load(NativeLibraryNames.CublasLt)));

    public readonly delegate* unmanaged<nint*, int> Create;
    public readonly delegate* unmanaged<nint, int> Destroy;

    /// <summary>Description, compute type, type of alpha and beta.</summary>
    public readonly delegate* unmanaged<nint*, CublasComputeType, CudaDataType, int> MatmulDescCreate;
    public readonly delegate* unmanaged<nint, int> MatmulDescDestroy;
    public readonly delegate* unmanaged<nint, MatmulDescAttribute, void*, nuint, int> MatmulDescSetAttribute;

    /// <summary>Layout, element type, rows, columns, leading dimension (column-major).</summary>
    public readonly delegate* unmanaged<nint*, CudaDataType, ulong, ulong, long, int> MatrixLayoutCreate;
    public readonly delegate* unmanaged<nint, int> MatrixLayoutDestroy;
    public readonly delegate* unmanaged<nint, MatrixLayoutAttribute, void*, nuint, int> MatrixLayoutSetAttribute;

    public readonly delegate* unmanaged<nint*, int> MatmulPreferenceCreate;
    public readonly delegate* unmanaged<nint, int> MatmulPreferenceDestroy;
    public readonly delegate* unmanaged<nint, MatmulPreferenceAttribute, void*, nuint, int> MatmulPreferenceSetAttribute;

    /// <summary>Handle, description, layouts of A, B, C, D, preference, results asked for, results, results found.</summary>
    public readonly delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, int, MatmulHeuristicResult*, int*, int> MatmulAlgoGetHeuristic;

    public readonly delegate* unmanaged<MatmulAlgo*, MatmulAlgoAttribute, void*, nuint, nuint*, int> MatmulAlgoConfigGetAttribute;
    public readonly delegate* unmanaged<MatmulAlgo*, MatmulAlgoAttribute, void*, nuint, int> MatmulAlgoConfigSetAttribute;

    /// <summary>Handle, description, alpha, A, its layout, B, its layout, beta, C, its layout, D, its layout, algorithm, workspace, its bytes, stream.</summary>
    public readonly delegate* unmanaged<nint, nint, void*, nint, nint, nint, nint, void*, nint, nint, nint, nint, MatmulAlgo*, nint, nuint, nint, int> Matmul;

    private readonly delegate* unmanaged<int, byte*> _getStatusName;

    private CublasLt(NativeExports exports)
    {
        var getVersion = (delegate* unmanaged<nuint>)exports["cublasLtGetVersion"];
        Version = (int)getVersion();
        Path = exports.Path;
        if (Version < 120400)
        {
            throw new CudaUnavailableException(
                $"cuBLASLt {Version / 10000}.{Version / 100 % 100} ({exports.Path}) is too old, Sluice needs 12.4; {NativeLibraryNames.CublasLt.Fix}.");
        }

        Create = (delegate* unmanaged<nint*, int>)exports["cublasLtCreate"];
        Destroy = (delegate* unmanaged<nint, int>)exports["cublasLtDestroy"];
        MatmulDescCreate = (delegate* unmanaged<nint*, CublasComputeType, CudaDataType, int>)exports["cublasLtMatmulDescCreate"];
        MatmulDescDestroy = (delegate* unmanaged<nint, int>)exports["cublasLtMatmulDescDestroy"];
        MatmulDescSetAttribute = (delegate* unmanaged<nint, MatmulDescAttribute, void*, nuint, int>)exports["cublasLtMatmulDescSetAttribute"];
        MatrixLayoutCreate = (delegate* unmanaged<nint*, CudaDataType, ulong, ulong, long, int>)exports["cublasLtMatrixLayoutCreate"];
        MatrixLayoutDestroy = (delegate* unmanaged<nint, int>)exports["cublasLtMatrixLayoutDestroy"];
        MatrixLayoutSetAttribute = (delegate* unmanaged<nint, MatrixLayoutAttribute, void*, nuint, int>)exports["cublasLtMatrixLayoutSetAttribute"];
        MatmulPreferenceCreate = (delegate* unmanaged<nint*, int>)exports["cublasLtMatmulPreferenceCreate"];
        MatmulPreferenceDestroy = (delegate* unmanaged<nint, int>)exports["cublasLtMatmulPreferenceDestroy"];
        MatmulPreferenceSetAttribute = (delegate* unmanaged<nint, MatmulPreferenceAttribute, void*, nuint, int>)exports["cublasLtMatmulPreferenceSetAttribute"];
        MatmulAlgoGetHeuristic = (delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, int, MatmulHeuristicResult*, int*, int>)exports["cublasLtMatmulAlgoGetHeuristic"];
        MatmulAlgoConfigGetAttribute = (delegate* unmanaged<MatmulAlgo*, MatmulAlgoAttribute, void*, nuint, nuint*, int>)exports["cublasLtMatmulAlgoConfigGetAttribute"];
        MatmulAlgoConfigSetAttribute = (delegate* unmanaged<MatmulAlgo*, MatmulAlgoAttribute, void*, nuint, int>)exports["cublasLtMatmulAlgoConfigSetAttribute"];
        Matmul = (delegate* unmanaged<nint, nint, void*, nint, nint, nint, nint, void*, nint, nint, nint, nint, MatmulAlgo*, nint, nuint, nint, int>)exports["cublasLtMatmul"];
        _getStatusName = (delegate* unmanaged<int, byte*>)exports["cublasLtGetStatusName"];
    }

    /// <exception cref="CudaUnavailableException">The library is missing or too old.</exception>
    public static CublasLt Api => Loaded.Value;

    /// <summary>120405 is 12.4.5.</summary>
    public int Version { get; }

    /// <summary>The file or loader name that was loaded.</summary>
    public string Path { get; }

    /// <summary>Throws when a call failed.</summary>
    public static void Check(int status, string operation)
    {
        if (status != 0)
        {
            string name = Marshal.PtrToStringUTF8((nint)Api._getStatusName(status)) ?? $"cublasStatus_t {status}";
            throw new CudaException(operation, name, $"cuBLASLt {Api.Version / 10000}.{Api.Version / 100 % 100}");
        }
    }
}

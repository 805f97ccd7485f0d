using Sluice.Compute.Cuda.Interop;

namespace Sluice.Compute.Cuda;

/// <summary>A call of the CUDA driver, NVRTC or cuBLASLt failed.</summary>
internal sealed class CudaException : Exception
{
    /// <param name="operation">The call and what it was for, such as <c>cuMemAlloc of 2.00 GiB for the key-value cache</c>.</param>
    /// <param name="errorName">The library's own name of the error.</param>
    /// <param name="explanation">The library's own sentence about it.</param>
    /// <param name="isSticky">The device's context is lost: every later call fails as well, and only a new process helps.</param>
    public CudaException(string operation, string errorName, string explanation, bool isSticky = false)
        : base($"{operation} failed: {errorName} ({explanation}){(isSticky ? "; the device's state is lost, the process has to be restarted" : "")}.")
    {
        Operation = operation;
        ErrorName = errorName;
        IsSticky = isSticky;
    }

    public CudaException(string operation, CudaResult result)
        : this(operation, Driver.ErrorName(result), Driver.ErrorText(result), IsStickyResult(result))
    {
        Result = result;
    }

    public string Operation { get; }

    public string ErrorName { get; }

    public bool IsSticky { get; }

    /// <summary>The driver's result; <see cref="CudaResult.Success"/> when another library failed.</summary>
    public CudaResult Result { get; }

    private static bool IsStickyResult(CudaResult result) => result is
        CudaResult.EccUncorrectable or CudaResult.NvlinkUncorrectable or CudaResult.IllegalAddress or CudaResult.LaunchTimeout
        or (>= CudaResult.Assert and <= CudaResult.LaunchFailed and not (CudaResult.HostMemoryAlreadyRegistered or CudaResult.HostMemoryNotRegistered))
        or CudaResult.Unknown;
}

namespace Sluice.Compute.Cuda;

/// <summary>
/// This machine cannot run the CUDA backend as it is: a library or the driver is missing or too old, or there is no device.
/// The message is one line: what is missing, where it was looked for, and what to do.
/// </summary>
internal sealed class CudaUnavailableException(string message) : Exception(message);

namespace Sluice.Compute.Cuda;

/// <summary>Sizes as people read them.</summary>
internal static class ByteText
{
    /// <summary>Such as <c>1.25 GiB</c>, <c>3.00 MiB</c> or <c>512 bytes</c>.</summary>
    public static string Format(long bytes) => bytes switch
    {
        >= 1L << 30 => $"{bytes / (double)(1L << 30):0.00} GiB",
        >= 1L << 20 => $"{bytes / (double)(1L << 20):0.00} MiB",
        _ => $"{bytes} bytes",
    };
}

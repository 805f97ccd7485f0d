namespace Sluice.Compute.Cuda;

/// <summary>Grid, block, cluster and dynamic shared memory of one launch.</summary>
/// <param name="GridX">Blocks; up to 2^31 - 1.</param>
/// <param name="BlockX">Threads a block.</param>
/// <param name="SharedBytes">Dynamic shared memory a block; above 48 KiB the kernel is allowed more at its first such launch.</param>
/// <param name="GridY">Blocks; up to 65,535.</param>
/// <param name="GridZ">Blocks; up to 65,535.</param>
/// <param name="BlockY">Threads a block.</param>
/// <param name="ClusterX">Blocks a cluster; 1 for none (compute capability 9.0 has them).</param>
/// <param name="IsProgrammatic">
/// May start before the kernel ahead of it in the stream has ended (compute capability 9.0; no effect elsewhere): the kernel itself
/// waits for that one's results with <c>wait_for_previous_kernel</c>.
/// </param>
internal readonly record struct LaunchShape(
    int GridX, int BlockX, int SharedBytes = 0, int GridY = 1, int GridZ = 1, int BlockY = 1, int ClusterX = 1, bool IsProgrammatic = false);

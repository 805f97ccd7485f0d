namespace Sluice;

/// <summary>How far loading has come. Reported by the loading threads, one report at a time, with rising counts.</summary>
/// <param name="LoadedBytes">Bytes of weights that are in place.</param>
/// <param name="TotalBytes">Bytes of all weights that the model uses.</param>
/// <param name="File">The file that the last bytes came from.</param>
public readonly record struct LoadProgress(long LoadedBytes, long TotalBytes, string File);

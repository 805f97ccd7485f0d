namespace Sluice.Tests;

/// <summary>The bundled model, loaded once for the tests of a class.</summary>
public sealed class BundledEngine : IAsyncLifetime
{
    private LlmEngine? _engine;

    public LlmEngine Engine => _engine!;

    public async ValueTask InitializeAsync() =>
        _engine = await LlmEngine.LoadAsync(new EngineOptions { Model = TestData.Storyteller, CpuThreads = 2, KvCacheMemoryBytes = 64 << 20 });

    public ValueTask DisposeAsync() => Engine.DisposeAsync();
}

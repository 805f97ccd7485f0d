using Sluice.Server.Tests.Support;
using Sluice.Tests;

[assembly: AssemblyFixture(typeof(Storyteller))]

namespace Sluice.Server.Tests.Support;

/// <summary>The bundled model in one engine, which all tests share; each test starts a server of its own in front of it.</summary>
public sealed class Storyteller : IAsyncLifetime
{
    public LlmEngine Engine { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Engine = await LlmEngine.LoadAsync(new EngineOptions
    {
        Model = TestData.Storyteller,
        Device = DeviceKind.Cpu,
        KvCacheMemoryBytes = 256L * 1024 * 1024,
        MaxNumSeqs = 256,
    });

    public ValueTask DisposeAsync() => Engine.DisposeAsync();
}

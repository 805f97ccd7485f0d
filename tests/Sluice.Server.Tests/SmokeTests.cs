namespace Sluice.Server.Tests;

public sealed class SmokeTests
{
    [Fact]
    public void Nothing_Always_Passes() => Assert.True(BitConverter.IsLittleEndian);
}

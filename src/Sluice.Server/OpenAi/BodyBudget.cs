namespace Sluice.Server.OpenAi;

/// <summary>Bytes that all request bodies together may hold at a time, so that many large ones cannot take the process down.</summary>
internal sealed class BodyBudget(long limitBytes)
{
    private long _takenBytes;

    /// <summary>Bytes held now.</summary>
    public long TakenBytes => Interlocked.Read(ref _takenBytes);

    public bool TryTake(int sizeBytes)
    {
        if (Interlocked.Add(ref _takenBytes, sizeBytes) <= limitBytes)
        {
            return true;
        }

        GiveBack(sizeBytes);
        return false;
    }

    public void GiveBack(int sizeBytes) => Interlocked.Add(ref _takenBytes, -sizeBytes);
}

namespace Sluice.Text.Tokenization.Decoders;

/// <summary>Maps each token on its own.</summary>
internal sealed class MapStage(Func<string, string> map) : DecoderStage
{
    public override void Push(string token, Action<string> emit) => emit(map(token));
}

/// <summary>Maps the first token and the others each in their own way.</summary>
internal sealed class FirstAndOthersStage(Func<string, string> mapFirst, Func<string, string> mapOther) : DecoderStage
{
    private bool _started;

    public override void Push(string token, Action<string> emit)
    {
        emit(_started ? mapOther(token) : mapFirst(token));
        _started = true;
    }
}

/// <summary>Maps the last token and the others each in their own way: holds one token back.</summary>
internal sealed class LastAndOthersStage(Func<string, string> mapOther, Func<string, string> mapLast) : DecoderStage
{
    private string? _held;

    public override void Push(string token, Action<string> emit)
    {
        if (_held is not null)
        {
            emit(mapOther(_held));
        }

        _held = token;
    }

    public override void Finish(Action<string> emit)
    {
        if (_held is not null)
        {
            emit(mapLast(_held));
            _held = null;
        }
    }
}

using System.Text;

namespace Sluice.Text.Tokenization.Decoders;

/// <summary>The decoding of one sequence of token texts.</summary>
internal sealed class DecoderStream
{
    private readonly DecoderStage[] _stages;
    private readonly Action<string>[] _emitters;
    private readonly StringBuilder _output = new();

    public DecoderStream(DecoderStage[] stages, string separator)
    {
        bool started = false;
        _stages = stages;
        _emitters = new Action<string>[stages.Length + 1];
        _emitters[stages.Length] = text =>
        {
            _output.Append(started ? separator : "").Append(text);
            started = true;
        };
        for (int i = stages.Length - 1; i >= 0; i--)
        {
            DecoderStage stage = stages[i];
            Action<string> next = _emitters[i + 1];
            _emitters[i] = text => stage.Push(text, next);
        }
    }

    public void Push(string token) => _emitters[0](token);

    public void Finish()
    {
        for (int i = 0; i < _stages.Length; i++)
        {
            _stages[i].Finish(_emitters[i + 1]);
        }
    }

    /// <summary>The text since the last call.</summary>
    public string TakeText()
    {
        if (_output.Length == 0)
        {
            return "";
        }

        string text = _output.ToString();
        _output.Clear();
        return text;
    }
}

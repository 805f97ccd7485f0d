using Sluice.Text.Patterns;

namespace Sluice.Text.Tokenization.Normalizers;

/// <summary>
/// A text on its way through the normalizers. When asked to, it remembers for each UTF-16 unit where in the original text it
/// came from. A step either leaves the text alone, or writes it anew between <see cref="Begin"/> and <see cref="Commit"/>.
/// </summary>
internal sealed class NormalizedText
{
    private readonly int _originalLength;
    private ReadOnlyMemory<char> _text;
    private int[]? _origins;
    private char[] _nextText = [];
    private int[] _nextOrigins = [];
    private int _nextLength;

    public NormalizedText(ReadOnlyMemory<char> text, bool tracksOrigins)
    {
        _text = text;
        _originalLength = text.Length;
        if (tracksOrigins)
        {
            _origins = new int[text.Length];
            for (int i = 0; i < _origins.Length; i++)
            {
                _origins[i] = i;
            }
        }
    }

    public ReadOnlyMemory<char> Memory => _text;

    public ReadOnlySpan<char> Text => _text.Span;

    /// <summary>The part of the original text that a part of this one came from.</summary>
    public TextSpan OriginOf(int start, int end)
    {
        if (_origins is null)
        {
            return new TextSpan(start, end - start);
        }

        int originStart = start < _origins.Length ? _origins[start] : _originalLength;
        int originEnd = end < _origins.Length ? Math.Max(_origins[end], _origins[end - 1] + 1) : _originalLength;
        return new TextSpan(originStart, originEnd - originStart);
    }

    public void Begin()
    {
        _nextText = new char[Text.Length + 16];
        _nextOrigins = _origins is null ? [] : new int[_nextText.Length];
        _nextLength = 0;
    }

    /// <summary>Writes one unit that stands for the current text at <paramref name="source"/>.</summary>
    public void Emit(char unit, int source)
    {
        EnsureSpace(1);
        if (_origins is not null)
        {
            _nextOrigins[_nextLength] = _origins.Length == 0 ? 0 : _origins[Math.Min(source, _origins.Length - 1)];
        }

        _nextText[_nextLength++] = unit;
    }

    public void Emit(ReadOnlySpan<char> units, int source)
    {
        foreach (char unit in units)
        {
            Emit(unit, source);
        }
    }

    public void EmitCodePoint(int codePoint, int source)
    {
        if (codePoint <= 0xFFFF)
        {
            Emit((char)codePoint, source);
            return;
        }

        Emit((char)(0xD7C0 + (codePoint >> 10)), source);
        Emit((char)(0xDC00 + (codePoint & 0x3FF)), source);
    }

    /// <summary>Writes a part of the current text as it is.</summary>
    public void Copy(int start, int end)
    {
        EnsureSpace(end - start);
        Text[start..end].CopyTo(_nextText.AsSpan(_nextLength));
        _origins?.AsSpan(start, end - start).CopyTo(_nextOrigins.AsSpan(_nextLength));
        _nextLength += end - start;
    }

    public void Commit()
    {
        _text = _nextText.AsMemory(0, _nextLength);
        _origins = _origins is null ? null : _nextOrigins.AsSpan(0, _nextLength).ToArray();
    }

    /// <summary>Maps every code point; a negative result drops it.</summary>
    public void Map(Func<int, int> map)
    {
        bool started = false;
        int unitCount;
        for (int position = 0; position < Text.Length; position += unitCount)
        {
            int codePoint = CodePoints.At(Text, position, out unitCount);
            int mapped = map(codePoint);
            if (!started && mapped != codePoint)
            {
                Begin();
                Copy(0, position);
                started = true;
            }

            if (started && mapped >= 0)
            {
                EmitCodePoint(mapped, position);
            }
        }

        if (started)
        {
            Commit();
        }
    }

    private void EnsureSpace(int count)
    {
        if (_nextLength + count <= _nextText.Length)
        {
            return;
        }

        int size = Math.Max(_nextLength + count, _nextText.Length * 2);
        Array.Resize(ref _nextText, size);
        if (_origins is not null)
        {
            Array.Resize(ref _nextOrigins, size);
        }
    }
}

using System.Text;

namespace Sluice.Text.Jinja;

/// <summary>Collects characters with their origins; every character is charged to the budget before it is stored.</summary>
internal sealed class TextBuilder
{
    private readonly RenderBudget _budget;
    private readonly StringBuilder _characters;
    private readonly List<OriginRun> _runs = [];
    private Origin _mask;

    public TextBuilder(RenderBudget budget, int capacity = 64)
    {
        _budget = budget;
        _characters = new StringBuilder(capacity);
    }

    public RenderBudget Budget => _budget;

    public int Length => _characters.Length;

    public void Append(ReadOnlySpan<char> characters, Origin origin)
    {
        if (characters.IsEmpty)
        {
            return;
        }

        _budget.ChargeCharacters(characters.Length);
        _characters.Append(characters);
        Extend(origin);
    }

    public void Append(char character, int count, Origin origin)
    {
        if (count <= 0)
        {
            return;
        }

        _budget.ChargeCharacters(count);
        _characters.Append(character, count);
        Extend(origin);
    }

    public void Append(TrackedString text)
    {
        text.AppendTo(this);
    }

    public (string Characters, OriginRun[] Runs) Finish()
    {
        return (_characters.ToString(), [.. _runs]);
    }

    public TrackedString ToTracked()
    {
        return _characters.Length == 0 ? TrackedString.Empty : new TrackedString(_characters.ToString(), [.. _runs], _mask);
    }

    private void Extend(Origin origin)
    {
        _mask |= origin;
        if (_runs.Count > 0 && _runs[^1].Origin == origin)
        {
            _runs[^1] = new OriginRun(_characters.Length, origin);
        }
        else
        {
            _runs.Add(new OriginRun(_characters.Length, origin));
        }
    }
}

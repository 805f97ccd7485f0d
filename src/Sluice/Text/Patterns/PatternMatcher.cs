using System.Globalization;

namespace Sluice.Text.Patterns;

/// <summary>
/// Finds the successive matches of a pattern in one text, leftmost first, by backtracking over an explicit stack.
/// A loop over a set takes one stack entry whatever its length, so the patterns of real tokenizers run in linear time;
/// a step budget stops any other pattern that does not.
/// </summary>
internal ref struct PatternMatcher
{
    // Measured on the patterns of GPT-2, Llama 3, Qwen 2, DeepSeek V3 and GPT-4o: under 20 steps a character.
    private const long StepsPerCharacter = 500;
    private const long FreeSteps = 1_000_000;

    private readonly PatternInstruction[] _program;
    private readonly CodePointSet? _firstSet;
    private readonly ReadOnlySpan<char> _text;
    private (int Instruction, int Position, int Minimum)[] _stack;
    private int _stackSize;
    private int _searchStart;
    private int _previousEnd;
    private long _stepsLeft;

    public PatternMatcher(TextPattern pattern, ReadOnlySpan<char> text)
    {
        _program = pattern.Program;
        _firstSet = pattern.FirstSet;
        _text = text;
        _stack = [];
        _stepsLeft = FreeSteps + (StepsPerCharacter * text.Length);
        _previousEnd = -1;
    }

    /// <summary>First UTF-16 unit of the current match.</summary>
    public int Start { get; private set; }

    public int End { get; private set; }

    public bool MoveNext()
    {
        int position = _searchStart;
        while (position <= _text.Length)
        {
            int unitCount = 1;
            bool candidate = true;
            if (position < _text.Length)
            {
                int codePoint = CodePoints.At(_text, position, out unitCount);
                candidate = _firstSet is null || _firstSet.Contains(codePoint);
            }
            else
            {
                candidate = _firstSet is null;
            }

            if (candidate)
            {
                int end = Match(0, position);
                if (end >= 0 && (end > position || position != _previousEnd))
                {
                    (Start, End, _previousEnd) = (position, end, end);
                    _searchStart = end > position ? end : position + unitCount;
                    return true;
                }
            }

            position += unitCount;
        }

        _searchStart = _text.Length + 1;
        return false;
    }

    /// <summary>Where the instructions from <paramref name="instruction"/> to their Accept end when matched at a position; -1 if not at all.</summary>
    private int Match(int instruction, int position)
    {
        int stackBase = _stackSize;
        while (true)
        {
            if (--_stepsLeft < 0)
            {
                throw new InvalidOperationException("A regular expression of the tokenizer takes too long on this text.");
            }

            bool matched;
            ref readonly PatternInstruction current = ref _program[instruction];
            switch (current.Operation)
            {
                case PatternOperation.Literal:
                    matched = TryTakeLiteral(current.A, ref position);
                    instruction++;
                    break;
                case PatternOperation.Set:
                    matched = TryTakeOne(current.Set!, ref position);
                    instruction++;
                    break;
                case PatternOperation.SetLoop:
                    matched = TakeLoop(instruction, ref position);
                    instruction++;
                    break;
                case PatternOperation.Split:
                    matched = true;
                    instruction = Split(current, position);
                    break;
                case PatternOperation.Jump:
                    matched = true;
                    instruction = current.A;
                    break;
                case PatternOperation.LookAhead:
                    matched = (Match(instruction + 1, position) >= 0) == (current.A == 0);
                    instruction = current.B;
                    break;
                case PatternOperation.LookBehind:
                    matched = (position > 0 && current.Set!.Contains(CodePoints.Before(_text, position, out _))) == (current.A == 0);
                    instruction++;
                    break;
                case PatternOperation.Atomic:
                    int end = Match(instruction + 1, position);
                    matched = end >= 0;
                    position = end;
                    instruction = current.B;
                    break;
                case PatternOperation.Assertion:
                    matched = Holds((Anchor)current.A, position);
                    instruction++;
                    break;
                default:
                    _stackSize = stackBase;
                    return position;
            }

            if (!matched && !Backtrack(stackBase, out instruction, out position))
            {
                return -1;
            }
        }
    }

    private readonly bool TryTakeLiteral(int codePoint, ref int position)
    {
        if (position >= _text.Length || CodePoints.At(_text, position, out int unitCount) != codePoint)
        {
            return false;
        }

        position += unitCount;
        return true;
    }

    private readonly bool TryTakeOne(CodePointSet set, ref int position)
    {
        if (position >= _text.Length)
        {
            return false;
        }

        int codePoint = CodePoints.At(_text, position, out int unitCount);
        if (!set.Contains(codePoint))
        {
            return false;
        }

        position += unitCount;
        return true;
    }

    private int Split(in PatternInstruction split, int position)
    {
        if (split.Set is not null
            && (position >= _text.Length || !split.Set.Contains(CodePoints.At(_text, position, out _))))
        {
            return split.B;
        }

        Push(split.B, position, -1);
        return split.A;
    }

    private bool TakeLoop(int instruction, ref int position)
    {
        ref readonly PatternInstruction loop = ref _program[instruction];
        CodePointSet set = loop.Set!;
        int limit = loop.Mode == RepeatMode.Lazy ? loop.A : loop.B;
        int count = 0;
        int minimumEnd = position;
        while (count < limit && TryTakeOne(set, ref position))
        {
            count++;
            if (count == loop.A)
            {
                minimumEnd = position;
            }
        }

        _stepsLeft -= count >> 3;
        if (count < loop.A)
        {
            return false;
        }

        if (loop.Mode == RepeatMode.Greedy && position > minimumEnd)
        {
            Push(instruction + 1, position, minimumEnd);
        }
        else if (loop.Mode == RepeatMode.Lazy && loop.B > loop.A)
        {
            // The minimum slot holds how many more may be taken, as a negative number below the mark of a plain split.
            Push(instruction, position, -2 - Math.Min(loop.B - loop.A, int.MaxValue - 2));
        }

        return true;
    }

    /// <summary>The next alternative: a split's other branch, a greedy loop one shorter, or a lazy loop one longer.</summary>
    private bool Backtrack(int stackBase, out int instruction, out int position)
    {
        while (_stackSize > stackBase)
        {
            ref (int Instruction, int Position, int Minimum) top = ref _stack[_stackSize - 1];
            (instruction, position) = (top.Instruction, top.Position);
            if (top.Minimum >= 0)
            {
                CodePoints.Before(_text, position, out int unitCount);
                position -= unitCount;
                top.Position = position;
                if (position <= top.Minimum)
                {
                    _stackSize--;
                }

                return true;
            }

            if (top.Minimum == -1)
            {
                _stackSize--;
                return true;
            }

            if (TryTakeOne(_program[instruction].Set!, ref position))
            {
                instruction++;
                top.Position = position;
                top.Minimum++;
                if (top.Minimum == -2)
                {
                    _stackSize--;
                }

                return true;
            }

            _stackSize--;
        }

        (instruction, position) = (0, 0);
        return false;
    }

    private void Push(int instruction, int position, int minimum)
    {
        if (_stackSize == _stack.Length)
        {
            Array.Resize(ref _stack, Math.Max(16, _stack.Length * 2));
        }

        _stack[_stackSize++] = (instruction, position, minimum);
    }

    private readonly bool Holds(Anchor anchor, int position)
    {
        return anchor switch
        {
            Anchor.TextStart => position == 0,
            Anchor.TextEnd => position == _text.Length,
            Anchor.TextEndOrFinalNewline => position == _text.Length
                || (position == _text.Length - 1 && _text[position] == '\n'),
            Anchor.LineStart => position == 0 || _text[position - 1] == '\n',
            Anchor.LineEnd => position == _text.Length || _text[position] == '\n',
            Anchor.WordBoundary => IsWordBefore(position) != IsWordAt(position),
            Anchor.NotWordBoundary => IsWordBefore(position) == IsWordAt(position),
            _ => throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"Unknown anchor {anchor}.")),
        };
    }

    private readonly bool IsWordBefore(int position) => position > 0 && CodePoints.IsWord(CodePoints.Before(_text, position, out _));

    private readonly bool IsWordAt(int position) => position < _text.Length && CodePoints.IsWord(CodePoints.At(_text, position, out _));
}

namespace Sluice.Text.Patterns;

/// <summary>Turns a parsed pattern into instructions for <see cref="PatternMatcher"/>.</summary>
internal sealed class PatternCompiler
{
    private const int MaximumInstructionCount = 20_000;

    private readonly List<PatternInstruction> _program = [];

    public static PatternInstruction[] Compile(PatternNode node)
    {
        var compiler = new PatternCompiler();
        compiler.Emit(node);
        compiler.Append(new PatternInstruction { Operation = PatternOperation.Accept });
        return [.. compiler._program];
    }

    /// <summary>Every code point that a match can begin with; null when a match can be empty or begin with a condition.</summary>
    public static CodePointSet? FirstSet(PatternNode node)
    {
        var set = new CodePointSet();
        return AddFirst(node, set) ? set : null;
    }

    private static bool AddFirst(PatternNode node, CodePointSet set)
    {
        switch (node)
        {
            case PatternNode.Set one:
                set.Add(one.CodePoints);
                return true;
            case PatternNode.Sequence sequence:
                foreach (PatternNode item in sequence.Items)
                {
                    if (AddFirst(item, set))
                    {
                        return true;
                    }
                }

                return false;
            case PatternNode.Alternation alternation:
                bool all = true;
                foreach (PatternNode branch in alternation.Branches)
                {
                    all &= AddFirst(branch, set);
                }

                return all;
            case PatternNode.Repeat repeat:
                return AddFirst(repeat.Body, set) && repeat.Minimum > 0;
            case PatternNode.Atomic atomic:
                return AddFirst(atomic.Body, set);
            default:
                return false;
        }
    }

    private int Append(PatternInstruction instruction)
    {
        if (_program.Count >= MaximumInstructionCount)
        {
            throw new PatternException("the pattern is too large");
        }

        _program.Add(instruction);
        return _program.Count - 1;
    }

    private void Emit(PatternNode node)
    {
        switch (node)
        {
            case PatternNode.Set set:
                int single = set.CodePoints.SingleCodePoint;
                Append(single >= 0
                    ? new PatternInstruction { Operation = PatternOperation.Literal, A = single }
                    : new PatternInstruction { Operation = PatternOperation.Set, Set = set.CodePoints });
                break;
            case PatternNode.Sequence sequence:
                foreach (PatternNode item in sequence.Items)
                {
                    Emit(item);
                }

                break;
            case PatternNode.Alternation alternation:
                EmitAlternation(alternation);
                break;
            case PatternNode.Repeat repeat:
                EmitRepeat(repeat);
                break;
            case PatternNode.Look { Behind: false } look:
                EmitEnclosed(PatternOperation.LookAhead, look.Body, look.Negative ? 1 : 0);
                break;
            case PatternNode.Look look:
                Append(new PatternInstruction
                {
                    Operation = PatternOperation.LookBehind,
                    A = look.Negative ? 1 : 0,
                    Set = SingleSet(look.Body)
                        ?? throw new PatternException("look-behind over more than one character is not supported"),
                });
                break;
            case PatternNode.Atomic atomic:
                EmitEnclosed(PatternOperation.Atomic, atomic.Body, 0);
                break;
            case PatternNode.Assertion assertion:
                Append(new PatternInstruction { Operation = PatternOperation.Assertion, A = (int)assertion.Anchor });
                break;
        }
    }

    private void EmitAlternation(PatternNode.Alternation alternation)
    {
        List<int> jumps = [];
        for (int i = 0; i < alternation.Branches.Count; i++)
        {
            bool last = i == alternation.Branches.Count - 1;
            int split = last
                ? -1
                : Append(new PatternInstruction { Operation = PatternOperation.Split, Set = FirstSet(alternation.Branches[i]) });
            Emit(alternation.Branches[i]);
            if (!last)
            {
                jumps.Add(Append(new PatternInstruction { Operation = PatternOperation.Jump }));
                _program[split] = _program[split] with { A = split + 1, B = _program.Count };
            }
        }

        foreach (int jump in jumps)
        {
            _program[jump] = _program[jump] with { A = _program.Count };
        }
    }

    private void EmitEnclosed(PatternOperation operation, PatternNode body, int argument)
    {
        int start = Append(new PatternInstruction { Operation = operation, A = argument });
        Emit(body);
        Append(new PatternInstruction { Operation = PatternOperation.Accept });
        _program[start] = _program[start] with { B = _program.Count };
    }

    private void EmitRepeat(PatternNode.Repeat repeat)
    {
        if (SingleSet(repeat.Body) is { } set)
        {
            Append(new PatternInstruction
            {
                Operation = PatternOperation.SetLoop,
                A = repeat.Minimum,
                B = repeat.Maximum,
                Set = set,
                Mode = repeat.Mode,
            });
            return;
        }

        if (repeat.Mode == RepeatMode.Possessive)
        {
            EmitEnclosed(PatternOperation.Atomic, repeat with { Mode = RepeatMode.Greedy }, 0);
            return;
        }

        for (int i = 0; i < repeat.Minimum; i++)
        {
            Emit(repeat.Body);
        }

        if (repeat.Maximum == int.MaxValue)
        {
            // An empty turn of the loop would repeat for ever.
            CodePointSet first = FirstSet(repeat.Body)
                ?? throw new PatternException("an unlimited repeat of something that can be empty is not supported");
            int split = EmitOptionalSplit(first);
            Emit(repeat.Body);
            Append(new PatternInstruction { Operation = PatternOperation.Jump, A = split });
            CloseOptionalSplit(split, repeat.Mode);
            return;
        }

        List<int> splits = [];
        for (int i = repeat.Minimum; i < repeat.Maximum; i++)
        {
            splits.Add(EmitOptionalSplit(FirstSet(repeat.Body)));
            Emit(repeat.Body);
        }

        foreach (int split in splits)
        {
            CloseOptionalSplit(split, repeat.Mode);
        }
    }

    private int EmitOptionalSplit(CodePointSet? first) =>
        Append(new PatternInstruction { Operation = PatternOperation.Split, Set = first });

    private void CloseOptionalSplit(int split, RepeatMode mode)
    {
        bool lazy = mode == RepeatMode.Lazy;
        _program[split] = lazy
            ? _program[split] with { A = _program.Count, B = split + 1, Set = null }
            : _program[split] with { A = split + 1, B = _program.Count };
    }

    private static CodePointSet? SingleSet(PatternNode node) => node switch
    {
        PatternNode.Set set => set.CodePoints,
        PatternNode.Sequence { Items.Count: 1 } sequence => SingleSet(sequence.Items[0]),
        PatternNode.Alternation alternation => UnionOf(alternation),
        _ => null,
    };

    private static CodePointSet? UnionOf(PatternNode.Alternation alternation)
    {
        var union = new CodePointSet();
        foreach (PatternNode branch in alternation.Branches)
        {
            if (SingleSet(branch) is not { } set)
            {
                return null;
            }

            union.Add(set);
        }

        return union;
    }
}

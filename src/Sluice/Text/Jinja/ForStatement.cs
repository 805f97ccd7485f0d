namespace Sluice.Text.Jinja;

/// <summary><c>{% for target in items if filter recursive %}…{% else %}…{% endfor %}</c>; each pass has its own scope.</summary>
internal sealed class ForStatement(
    int line, AssignmentTarget target, Expression items, Expression? filter, List<Statement> body, List<Statement>? otherwise, bool isRecursive)
    : Statement(line)
{
    public AssignmentTarget Target => target;

    public Expression Items => items;

    public Expression? Filter => filter;

    public List<Statement> Body => body;

    public List<Statement>? Otherwise => otherwise;

    public override Flow Execute(Scope scope, TextBuilder output)
    {
        Run(items.Evaluate(scope), scope, output, 0);
        return Flow.Next;
    }

    /// <summary>The text of the loop run again over other items: <c>loop(items)</c> in a recursive loop.</summary>
    public TrackedString Recurse(Value nested, Scope scope, int depth)
    {
        if (!isRecursive)
        {
            throw new ChatTemplateException("The loop must have the 'recursive' marker to be called recursively.");
        }

        TextBuilder output = new(scope.Context.Budget);
        Run(nested, scope, output, depth);
        return output.ToTracked();
    }

    private void Run(Value iterated, Scope scope, TextBuilder output, int depth)
    {
        List<Value> values = PythonTypes.Iterate(iterated, scope.Context);
        if (filter is not null)
        {
            values = Select(values, scope);
        }

        bool hasCompleted = false;
        LoopObject loop = new(this, scope, values, depth);
        for (int i = 0; i < values.Count; i++)
        {
            loop.Position = i;
            Scope pass = scope.Child();
            pass.Set("loop", new Value(loop));
            target.Assign(pass, values[i]);
            Flow flow = ExecuteAll(body, pass, output);
            hasCompleted |= flow == Flow.Next;
            if (flow == Flow.Break)
            {
                break;
            }
        }

        // As in Jinja2, the else part also runs where every pass was cut short by break or continue.
        if (!hasCompleted && otherwise is not null)
        {
            ExecuteAll(otherwise, scope.Child(), output);
        }
    }

    private List<Value> Select(List<Value> values, Scope scope)
    {
        List<Value> selected = [];
        foreach (Value value in values)
        {
            Scope probe = scope.Child();
            target.Assign(probe, value);
            if (PythonTypes.IsTrue(filter!.Evaluate(probe)))
            {
                selected.Add(value);
            }
        }

        return selected;
    }
}

/// <summary>The variable <c>loop</c>.</summary>
internal sealed class LoopObject(ForStatement statement, Scope scope, List<Value> items, int depth) : HostObject
{
    private Value _lastChanged;

    public override string TypeName => "LoopContext";

    public override bool IsCallable => true;

    public int Count => items.Count;

    /// <summary>The index, from 0, of the pass under way.</summary>
    public int Position { get; set; }

    public override bool TryGetMember(string name, out Value value)
    {
        int rest = items.Count - Position;
        value = name switch
        {
            "index" => Value.FromInteger(Position + 1),
            "index0" => Value.FromInteger(Position),
            "revindex" => Value.FromInteger(rest),
            "revindex0" => Value.FromInteger(rest - 1),
            "first" => Value.FromBoolean(Position == 0),
            "last" => Value.FromBoolean(rest == 1),
            "length" => Value.FromInteger(items.Count),
            "depth" => Value.FromInteger(depth + 1),
            "depth0" => Value.FromInteger(depth),
            "previtem" => Position > 0 ? items[Position - 1] : Value.UndefinedMember(new Value(this), name),
            "nextitem" => rest > 1 ? items[Position + 1] : Value.UndefinedMember(new Value(this), name),
            "cycle" => new Value(new BuiltinObject(new Builtin("cycle", Cycle), default)),
            "changed" => new Value(new BuiltinObject(new Builtin("changed", Changed), default)),
            _ => default,
        };
        return !value.IsMissing;
    }

    public override Value Call(RenderContext context, CallArguments arguments)
    {
        if (arguments.Positional.Count != 1 || arguments.Named.Count > 0)
        {
            throw new ChatTemplateException("loop() takes one argument");
        }

        context.Budget.EnterCall();
        TrackedString text = statement.Recurse(arguments.Positional[0], scope, depth + 1);
        context.Budget.LeaveCall();
        return new Value(text);
    }

    private Value Cycle(RenderContext context, Value target, CallArguments arguments)
    {
        return arguments.Positional.Count > 0
            ? arguments.Positional[Position % arguments.Positional.Count]
            : throw new ChatTemplateException("no items for cycling given");
    }

    private Value Changed(RenderContext context, Value target, CallArguments arguments)
    {
        Value now = Value.FromTuple([.. arguments.Positional]);
        bool hasChanged = !Comparison.AreEqual(_lastChanged, now, context.Budget);
        _lastChanged = now;
        return Value.FromBoolean(hasChanged);
    }
}

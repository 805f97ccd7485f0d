namespace Sluice.Text.Jinja;

/// <summary>The body of a function, method, filter or test; its arguments lie in parameter order, what was not passed is Missing.</summary>
internal delegate Value BuiltinBody(RenderContext context, ReadOnlySpan<Value> arguments);

/// <summary>The body of a function that takes any arguments.</summary>
internal delegate Value VariadicBody(RenderContext context, Value target, CallArguments arguments);

/// <summary>
/// A function of ours. Methods, filters and tests have a target, which is the first of the body's arguments and not
/// among the parameters.
/// </summary>
internal sealed class Builtin
{
    private readonly string[] _parameters;
    private readonly BuiltinBody? _body;
    private readonly VariadicBody? _variadic;
    private readonly int _targetCount;

    public Builtin(string name, BuiltinBody body, bool hasTarget, params string[] parameters)
    {
        Name = name;
        _body = body;
        _parameters = parameters;
        _targetCount = hasTarget ? 1 : 0;
    }

    public Builtin(string name, VariadicBody body)
    {
        Name = name;
        _variadic = body;
        _parameters = [];
    }

    public string Name { get; }

    public Value Invoke(RenderContext context, Value target, CallArguments arguments)
    {
        return _variadic is not null
            ? _variadic(context, target, arguments)
            : _body!(context, ArgumentBinder.Bind(Name, _parameters, _targetCount, target, arguments));
    }
}

/// <summary>A builtin as a value: a global function, or a method bound to its target.</summary>
internal sealed class BuiltinObject(Builtin builtin, Value target) : HostObject
{
    public override string TypeName => "builtin_function_or_method";

    public override bool IsCallable => true;

    public override Value Call(RenderContext context, CallArguments arguments)
    {
        return builtin.Invoke(context, target, arguments);
    }
}

namespace Sluice.Text.Jinja;

/// <summary>What a call passes: positional values, then named ones.</summary>
internal readonly record struct CallArguments(List<Value> Positional, List<KeyValuePair<string, Value>> Named)
{
    public static readonly CallArguments Empty = new([], []);
}

/// <summary>An object of the interpreter that templates hold: it decides its attributes and whether it can be called.</summary>
internal abstract class HostObject
{
    public abstract string TypeName { get; }

    public virtual bool IsCallable => false;

    public virtual string Describe()
    {
        return $"<{TypeName}>";
    }

    public virtual bool TryGetMember(string name, out Value value)
    {
        value = default;
        return false;
    }

    public virtual Value Call(RenderContext context, CallArguments arguments)
    {
        throw new ChatTemplateException($"'{TypeName}' object is not callable");
    }
}

/// <summary>The one mutable object of a template, made by <c>namespace()</c> and changed by <c>{% set ns.name = … %}</c>.</summary>
internal sealed class NamespaceObject : HostObject
{
    private readonly Dictionary<string, Value> _members = new(StringComparer.Ordinal);

    public override string TypeName => "Namespace";

    public void Set(string name, Value value)
    {
        _members[name] = value;
    }

    public override bool TryGetMember(string name, out Value value)
    {
        return _members.TryGetValue(name, out value);
    }
}

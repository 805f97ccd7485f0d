namespace Sluice.Text.Jinja;

/// <summary>What stands left of <c>=</c> or between <c>for</c> and <c>in</c>.</summary>
internal abstract class AssignmentTarget
{
    public abstract void Assign(Scope scope, Value value);

    /// <summary>The plain names that it binds.</summary>
    public abstract IEnumerable<string> Names { get; }
}

internal sealed class NameTarget(string name) : AssignmentTarget
{
    public override IEnumerable<string> Names => [name];

    public override void Assign(Scope scope, Value value)
    {
        scope.Set(name, value);
    }
}

/// <summary><c>ns.name</c>, allowed for namespaces alone.</summary>
internal sealed class NamespaceTarget(string namespaceName, string name) : AssignmentTarget
{
    public string NamespaceName => namespaceName;

    public override IEnumerable<string> Names => [];

    public override void Assign(Scope scope, Value value)
    {
        if (!scope.TryGet(namespaceName, out Value owner) || owner.Kind != ValueKind.Object || owner.Object is not NamespaceObject target)
        {
            throw new ChatTemplateException("cannot assign attribute on non-namespace object");
        }

        target.Set(name, value);
    }
}

internal sealed class TupleTarget(List<AssignmentTarget> targets) : AssignmentTarget
{
    public override IEnumerable<string> Names => targets.SelectMany(target => target.Names);

    public override void Assign(Scope scope, Value value)
    {
        if (!PythonTypes.IsIterable(value))
        {
            throw new ChatTemplateException($"cannot unpack non-iterable {PythonTypes.NameOf(value)} object");
        }

        List<Value> items = PythonTypes.Iterate(value, scope.Context);
        if (items.Count != targets.Count)
        {
            throw new ChatTemplateException(items.Count > targets.Count
                ? $"too many values to unpack (expected {targets.Count})"
                : $"not enough values to unpack (expected {targets.Count}, got {items.Count})");
        }

        for (int i = 0; i < targets.Count; i++)
        {
            targets[i].Assign(scope, items[i]);
        }
    }
}

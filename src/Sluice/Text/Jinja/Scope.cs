namespace Sluice.Text.Jinja;

/// <summary>Variables by name; those of the enclosing scopes are read through it and never written.</summary>
internal sealed class Scope(RenderContext context, Scope? parent)
{
    private Dictionary<string, Value>? _variables;

    public RenderContext Context { get; } = context;

    public Scope Child()
    {
        return new Scope(Context, this);
    }

    public void Set(string name, Value value)
    {
        _variables ??= new Dictionary<string, Value>(StringComparer.Ordinal);
        _variables[name] = value;
    }

    public bool TryGet(string name, out Value value)
    {
        for (Scope? scope = this; scope is not null; scope = scope.Parent)
        {
            if (scope._variables is not null && scope._variables.TryGetValue(name, out value))
            {
                return true;
            }
        }

        value = default;
        return false;
    }

    private Scope? Parent { get; } = parent;
}

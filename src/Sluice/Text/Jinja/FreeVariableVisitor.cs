namespace Sluice.Text.Jinja;

/// <summary>Walks a template in execution order with the set of names that are bound for sure at each point.</summary>
internal sealed class FreeVariableVisitor(HashSet<string> free)
{
    /// <summary>Visits the statements; <paramref name="bound"/> grows by what they bind.</summary>
    public void Visit(List<Statement> statements, BoundNames bound)
    {
        foreach (Statement statement in statements)
        {
            Visit(statement, bound);
        }
    }

    private void Visit(Statement statement, BoundNames bound)
    {
        switch (statement)
        {
            case OutputStatement output:
                Read(output.Expression, bound);
                break;
            case IfStatement branch:
                VisitIf(branch, bound);
                break;
            case ForStatement loop:
                Read(loop.Items, bound);
                BoundNames pass = new(bound, [.. loop.Target.Names, "loop"]);
                if (loop.Filter is not null)
                {
                    Read(loop.Filter, pass);
                }

                Visit(loop.Body, pass);
                Visit(loop.Otherwise ?? [], new BoundNames(bound, []));
                break;
            case SetStatement set:
                Read(set.Value, bound);
                Bind(set.Target, bound);
                break;
            case ScopedStatement scoped:
                BoundNames inner = new(bound, []);
                foreach ((AssignmentTarget target, Expression value) in scoped.Variables)
                {
                    Read(value, bound);
                    Bind(target, inner);
                }

                Visit(scoped.Body, inner);
                break;
            case CaptureStatement capture:
                Visit(capture.Body, new BoundNames(bound, []));
                capture.Filters.ForEach(filter => Read(filter, bound));
                if (capture.Target is not null)
                {
                    Bind(capture.Target, bound);
                }

                break;
            case MacroStatement macro:
                bound.Own.Add(macro.Definition.Name);
                VisitMacro(macro.Definition, bound);
                break;
            case CallBlockStatement call:
                Read(call.Call, bound);
                VisitMacro(call.Body, bound);
                break;
        }
    }

    private void VisitIf(IfStatement branch, BoundNames bound)
    {
        HashSet<string>? common = null;
        foreach ((Expression condition, List<Statement> body) in branch.Branches)
        {
            Read(condition, bound);
            BoundNames inside = new(bound, []);
            Visit(body, inside);
            common = Intersect(common, inside.Own);
        }

        if (branch.Otherwise is not null)
        {
            BoundNames inside = new(bound, []);
            Visit(branch.Otherwise, inside);
            bound.Own.UnionWith(Intersect(common, inside.Own));
        }
    }

    private static HashSet<string> Intersect(HashSet<string>? common, HashSet<string> other)
    {
        common?.IntersectWith(other);
        return common ?? other;
    }

    private void VisitMacro(MacroDefinition macro, BoundNames bound)
    {
        BoundNames inside = new(bound, [.. macro.Parameters.Select(parameter => parameter.Name), "varargs", "kwargs", "caller"]);
        foreach (MacroParameter parameter in macro.Parameters)
        {
            if (parameter.Default is not null)
            {
                Read(parameter.Default, inside);
            }
        }

        Visit(macro.Body, inside);
    }

    private void Bind(AssignmentTarget target, BoundNames bound)
    {
        if (target is NamespaceTarget member && !bound.Contains(member.NamespaceName))
        {
            free.Add(member.NamespaceName);
        }

        bound.Own.UnionWith(target.Names);
    }

    private void Read(Expression expression, BoundNames bound)
    {
        if (expression is NameExpression name && !bound.Contains(name.Name))
        {
            free.Add(name.Name);
        }

        foreach (Expression child in expression.Children)
        {
            Read(child, bound);
        }
    }
}

/// <summary>The names that a scope binds itself, before those of the scopes around it.</summary>
internal sealed class BoundNames(BoundNames? outer, HashSet<string> own)
{
    public HashSet<string> Own => own;

    public bool Contains(string name)
    {
        return own.Contains(name) || (outer is not null && outer.Contains(name));
    }
}

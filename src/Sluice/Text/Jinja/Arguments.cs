namespace Sluice.Text.Jinja;

/// <summary>Reads bound arguments as the types that builtins want.</summary>
internal static class Arguments
{
    public static long Integer(Value value, long whenMissing)
    {
        if (value.IsMissing || value.IsNone)
        {
            return whenMissing;
        }

        PythonTypes.RequireDefined(value);
        return value.Kind is ValueKind.Integer or ValueKind.Boolean
            ? value.Integer
            : throw new ChatTemplateException($"'{PythonTypes.NameOf(value)}' object cannot be interpreted as an integer");
    }

    public static TrackedString Text(Value value, string function)
    {
        PythonTypes.RequireDefined(value);
        return value.IsString
            ? value.Text
            : throw new ChatTemplateException(
                value.IsMissing ? $"{function} is missing an argument" : $"{function} argument must be str, not {PythonTypes.NameOf(value)}");
    }

    public static bool IsTrue(Value value, bool whenMissing)
    {
        return value.IsMissing ? whenMissing : PythonTypes.IsTrue(value);
    }
}

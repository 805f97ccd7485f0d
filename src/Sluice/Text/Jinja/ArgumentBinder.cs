namespace Sluice.Text.Jinja;

/// <summary>Lays a call's arguments out in the order of the callee's parameters; what was not passed is left Missing.</summary>
internal static class ArgumentBinder
{
    /// <param name="callee">Its name, for errors.</param>
    /// <param name="parameters">Its parameters in order, a filter's input value not among them.</param>
    /// <param name="targetCount">1 where <paramref name="target"/> is its first argument (filters, tests), else 0.</param>
    /// <param name="target">The value that a filter or test is applied to.</param>
    /// <param name="arguments">The call's own arguments.</param>
    public static Value[] Bind(string callee, string[] parameters, int targetCount, Value target, CallArguments arguments)
    {
        Value[] bound = new Value[parameters.Length + targetCount];
        if (targetCount == 1)
        {
            bound[0] = target;
        }

        if (arguments.Positional.Count > parameters.Length)
        {
            throw new ChatTemplateException(
                $"{callee}() takes at most {parameters.Length + targetCount} arguments ({arguments.Positional.Count + targetCount} given)");
        }

        for (int i = 0; i < arguments.Positional.Count; i++)
        {
            bound[targetCount + i] = arguments.Positional[i];
        }

        foreach ((string name, Value value) in arguments.Named)
        {
            int index = Array.IndexOf(parameters, name);
            if (index < 0)
            {
                throw new ChatTemplateException($"{callee}() got an unexpected keyword argument '{name}'");
            }

            if (!bound[targetCount + index].IsMissing)
            {
                throw new ChatTemplateException($"{callee}() got multiple values for argument '{name}'");
            }

            bound[targetCount + index] = value;
        }

        return bound;
    }
}

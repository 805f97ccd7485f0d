namespace Sluice.Text.Jinja;

internal enum UndefinedReason : byte
{
    Name,
    Member,
    Element,
    Parameter,

    /// <summary>The name says what is missing.</summary>
    Hint,

    /// <summary>A member that exists in Python but that the sandbox refuses.</summary>
    Unsafe,
}

/// <summary>A name or member that does not exist. It prints as nothing; using it otherwise raises <see cref="Error"/>.</summary>
internal sealed class UndefinedValue(UndefinedReason reason, Value owner, string name)
{
    public ChatTemplateException Error()
    {
        string ownerType = owner.IsNone ? "None" : PythonTypes.NameOf(owner) + " object";
        return new ChatTemplateException(reason switch
        {
            UndefinedReason.Name => $"'{name}' is undefined",
            UndefinedReason.Parameter => $"parameter '{name}' was not provided",
            UndefinedReason.Hint => name,
            UndefinedReason.Unsafe => $"access to attribute '{name}' of '{PythonTypes.NameOf(owner)}' object is unsafe.",
            UndefinedReason.Element => $"{ownerType} has no element {name}",
            _ => $"'{ownerType}' has no attribute '{name}'",
        });
    }
}

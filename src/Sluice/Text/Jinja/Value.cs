using System.Numerics;

namespace Sluice.Text.Jinja;

internal enum ValueKind : byte
{
    /// <summary>An argument that the caller left out; no template ever sees it.</summary>
    Missing,
    Undefined,
    None,
    Boolean,
    Integer,

    /// <summary>An integer of the client's JSON that 64 bits do not hold: printed as it is, computed with as a float.</summary>
    BigInteger,
    Float,
    String,
    List,
    Tuple,

    /// <summary>What lazy filters give: a sequence that can be iterated once.</summary>
    Generator,
    Range,
    Dict,

    /// <summary>A <see cref="HostObject"/>: a namespace, a function, a macro, <c>loop</c>.</summary>
    Object,
}

/// <summary>A value of the template language, with Python's types. Holds only data of this interpreter, never a CLR object of the program.</summary>
internal readonly struct Value
{
    public static readonly Value None = new(ValueKind.None, 0, null);
    public static readonly Value True = new(ValueKind.Boolean, 1, null);
    public static readonly Value False = new(ValueKind.Boolean, 0, null);
    public static readonly Value EmptyString = new(TrackedString.Empty);

    private readonly object? _reference;
    private readonly long _bits;

    public Value(TrackedString text, bool isMarkup = false)
        : this(ValueKind.String, 0, text)
    {
        IsMarkup = isMarkup;
    }

    public Value(DictValue dict)
        : this(ValueKind.Dict, 0, dict)
    {
    }

    public Value(HostObject host)
        : this(ValueKind.Object, 0, host)
    {
    }

    public Value(BigInteger number)
        : this(ValueKind.BigInteger, 0, number)
    {
    }

    private Value(ValueKind kind, long bits, object? reference)
    {
        Kind = kind;
        _bits = bits;
        _reference = reference;
    }

    public ValueKind Kind { get; }

    /// <summary>A string marked by <c>safe</c> or <c>escape</c>: joining it with a plain string escapes the latter.</summary>
    public bool IsMarkup { get; }

    public bool IsMissing => Kind == ValueKind.Missing;

    public bool IsUndefined => Kind == ValueKind.Undefined;

    public bool IsNone => Kind == ValueKind.None;

    public bool IsString => Kind == ValueKind.String;

    /// <summary>A list, tuple, range or generator.</summary>
    public bool IsSequence => Kind is ValueKind.List or ValueKind.Tuple or ValueKind.Range or ValueKind.Generator;

    /// <summary>Python's numbers, bool included.</summary>
    public bool IsNumber => Kind is ValueKind.Boolean or ValueKind.Integer or ValueKind.Float or ValueKind.BigInteger;

    /// <summary>The integer or boolean.</summary>
    public long Integer => _bits;

    public bool Boolean => _bits != 0;

    public TrackedString Text => (TrackedString)_reference!;

    public SequenceValue Sequence => (SequenceValue)_reference!;

    public DictValue Dict => (DictValue)_reference!;

    public HostObject Object => (HostObject)_reference!;

    public BigInteger BigInteger => (BigInteger)_reference!;

    public UndefinedValue Undefined => (UndefinedValue)_reference!;

    /// <summary>Any number as a float.</summary>
    public double Number => Kind switch
    {
        ValueKind.Float => BitConverter.Int64BitsToDouble(_bits),
        ValueKind.BigInteger => (double)BigInteger,
        _ => _bits,
    };

    public static Value FromBoolean(bool value)
    {
        return value ? True : False;
    }

    public static Value FromInteger(long value)
    {
        return new Value(ValueKind.Integer, value, null);
    }

    public static Value FromFloat(double value)
    {
        return new Value(ValueKind.Float, BitConverter.DoubleToInt64Bits(value), null);
    }

    /// <summary>A string of the template's own.</summary>
    public static Value FromString(string value, Origin origin = Origin.Template)
    {
        return value.Length == 0 ? EmptyString : new Value(new TrackedString(value, origin));
    }

    public static Value FromList(List<Value> items, bool fromClient = false)
    {
        return new Value(ValueKind.List, 0, new SequenceValue(items, fromClient));
    }

    public static Value FromTuple(List<Value> items)
    {
        return new Value(ValueKind.Tuple, 0, new SequenceValue(items));
    }

    public static Value FromGroup(GroupValue group)
    {
        return new Value(ValueKind.Tuple, 0, group);
    }

    public static Value FromRange(List<Value> items)
    {
        return new Value(ValueKind.Range, 0, new SequenceValue(items));
    }

    public static Value FromGenerator(List<Value> items)
    {
        return new Value(ValueKind.Generator, 0, new SequenceValue(items));
    }

    public static Value FromUndefined(UndefinedValue undefined)
    {
        return new Value(ValueKind.Undefined, 0, undefined);
    }

    public static Value UndefinedName(string name)
    {
        return FromUndefined(new UndefinedValue(UndefinedReason.Name, default, name));
    }

    public static Value UndefinedHint(string message)
    {
        return FromUndefined(new UndefinedValue(UndefinedReason.Hint, default, message));
    }

    public static Value UndefinedMember(Value owner, string name)
    {
        return FromUndefined(new UndefinedValue(UndefinedReason.Member, owner, name));
    }
}

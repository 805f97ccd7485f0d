namespace Sluice.Text.Jinja;

/// <summary>
/// Attributes, items and slices. Only what is listed here and in the method tables exists: the sandbox is that there
/// is no way from a value to anything of the program.
/// </summary>
internal static class MemberAccess
{
    public static Value GetAttribute(Value target, string name, Value key)
    {
        PythonTypes.RequireDefined(target);
        if (TryGetAttribute(target, name, out Value value))
        {
            return value;
        }

        return target.Kind == ValueKind.Dict && target.Dict.TryGet(key, out value) ? value : Value.UndefinedMember(target, name);
    }

    public static Value GetItem(Value target, Value index, RenderContext context)
    {
        PythonTypes.RequireDefined(target);
        ValueComparer.ChargeLookup(index, context.Budget);
        if (target.Kind == ValueKind.Dict)
        {
            if (ValueComparer.IsHashable(index) && target.Dict.TryGet(index, out Value value))
            {
                return value;
            }
        }
        else if (index.Kind is ValueKind.Integer or ValueKind.Boolean && TryGetElement(target, index.Integer, context, out Value element))
        {
            return element;
        }

        if (!index.IsString)
        {
            return Value.FromUndefined(new UndefinedValue(UndefinedReason.Element, target, PythonFormat.Brief(index)));
        }

        string name = index.Text.ToString();
        return TryGetAttribute(target, name, out Value attribute) ? attribute : Value.UndefinedMember(target, name);
    }

    public static Value Slice(Value target, Value start, Value stop, Value step, RenderContext context)
    {
        PythonTypes.RequireDefined(target);
        if (!target.IsString && target.Kind is not (ValueKind.List or ValueKind.Tuple or ValueKind.Range))
        {
            return target.Kind == ValueKind.Dict
                ? throw new ChatTemplateException("unhashable type: 'slice'")
                : throw new ChatTemplateException($"'{PythonTypes.NameOf(target)}' object is not subscriptable");
        }

        int length = PythonTypes.LengthOf(target, context);
        long stride = step.IsNone ? 1 : Index(step);
        if (stride == 0)
        {
            throw new ChatTemplateException("slice step cannot be zero");
        }

        int first = Bound(start, stride > 0 ? 0 : length - 1, stride, length);
        int end = Bound(stop, stride > 0 ? length : -1, stride, length);
        if (target.IsString && stride == 1)
        {
            return SliceText(target, first, Math.Max(first, end));
        }

        List<Value> source = target.IsString ? CodePoints.Split(target.Text, context) : target.Sequence.Items;
        List<Value> items = [];
        for (long i = first; stride > 0 ? i < end : i > end; i += stride)
        {
            items.Add(source[(int)i]);
        }

        context.Budget.ChargeSteps(items.Count);
        if (target.IsString)
        {
            TextBuilder builder = new(context.Budget);
            items.ForEach(item => builder.Append(item.Text));
            return new Value(builder.ToTracked(), target.IsMarkup);
        }

        return target.Kind switch
        {
            ValueKind.List => Value.FromList(items, target.Sequence.FromClient),
            ValueKind.Tuple => Value.FromTuple(items),
            _ => Value.FromRange(items),
        };
    }

    private static Value SliceText(Value target, int first, int end)
    {
        ReadOnlySpan<char> characters = target.Text.AsSpan();
        int from = CodePoints.ToUtf16(characters, first);
        int to = CodePoints.ToUtf16(characters, end);
        return new Value(target.Text.Slice(from, to - from), target.IsMarkup);
    }

    /// <summary>A slice bound clamped as Python does, for either direction.</summary>
    private static int Bound(Value bound, int whenNone, long stride, int length)
    {
        if (bound.IsNone)
        {
            return whenNone;
        }

        long index = Index(bound);
        if (index < 0)
        {
            index += length;
        }

        return (int)(stride > 0 ? Math.Clamp(index, 0, length) : Math.Clamp(index, -1, length - 1));
    }

    private static long Index(Value value)
    {
        PythonTypes.RequireDefined(value);
        return value.Kind is ValueKind.Integer or ValueKind.Boolean
            ? Math.Clamp(value.Integer, int.MinValue, int.MaxValue)
            : throw new ChatTemplateException("slice indices must be integers or None or have an __index__ method");
    }

    private static bool TryGetElement(Value target, long index, RenderContext context, out Value value)
    {
        if (target.IsString)
        {
            context.Budget.ChargeScan(3L * target.Text.Length);
            ReadOnlySpan<char> characters = target.Text.AsSpan();
            int count = CodePoints.Count(characters);
            index += index < 0 ? count : 0;
            if (index >= 0 && index < count)
            {
                value = SliceText(target, (int)index, (int)index + 1);
                return true;
            }
        }
        else if (target.Kind is ValueKind.List or ValueKind.Tuple or ValueKind.Range)
        {
            List<Value> items = target.Sequence.Items;
            index += index < 0 ? items.Count : 0;
            if (index >= 0 && index < items.Count)
            {
                value = items[(int)index];
                return true;
            }
        }

        value = default;
        return false;
    }

    private static bool TryGetAttribute(Value target, string name, out Value value)
    {
        if (target.Kind == ValueKind.Object && target.Object.TryGetMember(name, out value))
        {
            return true;
        }

        if (target.Kind == ValueKind.Tuple && target.Sequence is GroupValue group && group.Member(name) is Value member)
        {
            value = member;
            return true;
        }

        Builtin? method = target.Kind switch
        {
            ValueKind.String => StringMethods.Find(name),
            ValueKind.Dict => DictMethods.Find(name),
            ValueKind.List => SequenceMethods.FindList(name),
            ValueKind.Tuple or ValueKind.Range => SequenceMethods.FindTuple(name),
            _ => null,
        };
        if (method is not null)
        {
            value = new Value(new BuiltinObject(method, target));
            return true;
        }

        bool isUnsafe = name.StartsWith("__", StringComparison.Ordinal)
            || (target.Kind == ValueKind.List && SequenceMethods.IsMutating(name))
            || (target.Kind == ValueKind.Dict && DictMethods.IsMutating(name));
        value = isUnsafe ? Value.FromUndefined(new UndefinedValue(UndefinedReason.Unsafe, target, name)) : default;
        return isUnsafe;
    }
}

using System.Buffers;
using System.Globalization;

namespace Sluice.Text.Jinja;

/// <summary>json.dumps as Hugging Face's <c>tojson</c> calls it: no HTML escaping, ", " and ": " between items, non-ASCII kept.</summary>
internal sealed class PythonJson
{
    private static readonly SearchValues<char> Escaped = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Select(code => (char)code), '"', '\\']);

    private static readonly SearchValues<char> EscapedOrNonAscii = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Select(code => (char)code), '"', '\\', .. Enumerable.Range(0x80, 0xFF80).Select(code => (char)code)]);

    private readonly TextBuilder _output;
    private readonly RenderContext _context;
    private readonly bool _ensureAscii;
    private readonly TrackedString? _indent;
    private readonly TrackedString _itemSeparator;
    private readonly TrackedString _keySeparator;
    private readonly bool _sortKeys;

    private PythonJson(TextBuilder output, RenderContext context, Value ensureAscii, Value indent, Value separators, Value sortKeys)
    {
        _output = output;
        _context = context;
        _ensureAscii = PythonTypes.IsTrue(ensureAscii);
        _sortKeys = PythonTypes.IsTrue(sortKeys);
        _indent = IndentOf(indent, context);
        _itemSeparator = new TrackedString(_indent is null ? ", " : ",", Origin.Template);
        _keySeparator = new TrackedString(": ", Origin.Template);
        if (separators.IsSequence && separators.Sequence.Items is [{ IsString: true } item, { IsString: true } key])
        {
            _itemSeparator = item.Text;
            _keySeparator = key.Text;
        }
    }

    public static TrackedString Serialize(
        Value value, Value ensureAscii, Value indent, Value separators, Value sortKeys, RenderContext context)
    {
        TextBuilder output = new(context.Budget);
        new PythonJson(output, context, ensureAscii, indent, separators, sortKeys).Write(value, 0);
        return output.ToTracked();
    }

    private static TrackedString? IndentOf(Value indent, RenderContext context)
    {
        if (indent.IsMissing || indent.IsNone)
        {
            return null;
        }

        if (indent.IsString)
        {
            return indent.Text;
        }

        long width = indent.Kind is ValueKind.Integer or ValueKind.Boolean
            ? indent.Integer
            : throw new ChatTemplateException($"can't multiply sequence by non-int of type '{PythonTypes.NameOf(indent)}'");
        return Arithmetic.Apply("*", Value.FromString(" "), Value.FromInteger(width), context).Text;
    }

    private void Write(Value value, int depth)
    {
        RenderBudget.EnsureStack();
        _context.Budget.ChargeSteps(1);
        switch (value.Kind)
        {
            case ValueKind.String:
                WriteString(value.Text);
                break;
            case ValueKind.List or ValueKind.Tuple:
                WriteList(value.Sequence, depth);
                break;
            case ValueKind.Dict:
                WriteDict(value.Dict, depth);
                break;
            case ValueKind.None or ValueKind.Boolean or ValueKind.Integer or ValueKind.BigInteger or ValueKind.Float:
                _output.Append(Scalar(value), Origin.Template);
                break;
            default:
                throw new ChatTemplateException($"Object of type {PythonTypes.NameOf(value)} is not JSON serializable");
        }
    }

    private static string Scalar(Value value)
    {
        return value.Kind switch
        {
            ValueKind.None => "null",
            ValueKind.Boolean => value.Boolean ? "true" : "false",
            ValueKind.Integer => value.Integer.ToString(CultureInfo.InvariantCulture),
            ValueKind.BigInteger => value.BigInteger.ToString(CultureInfo.InvariantCulture),
            _ when double.IsFinite(value.Number) => PythonFormat.Float(value.Number),
            _ => double.IsNaN(value.Number) ? "NaN" : value.Number > 0 ? "Infinity" : "-Infinity",
        };
    }

    private void WriteList(SequenceValue list, int depth)
    {
        Origin origin = list.FromClient ? Origin.Client : Origin.Template;
        _output.Append("[", origin);
        for (int i = 0; i < list.Items.Count; i++)
        {
            StartItem(i == 0, depth + 1, origin);
            Write(list.Items[i], depth + 1);
        }

        End("]", list.Items.Count == 0, depth, origin);
    }

    private void WriteDict(DictValue dict, int depth)
    {
        Origin origin = dict.FromClient ? Origin.Client : Origin.Template;
        List<KeyValuePair<Value, Value>> entries = [.. dict.Entries];
        if (_sortKeys)
        {
            entries = StableSort.Sort(entries, (a, b) => Comparison.Order(a.Key, b.Key, "<", _context.Budget));
        }

        _output.Append("{", origin);
        for (int i = 0; i < entries.Count; i++)
        {
            StartItem(i == 0, depth + 1, origin);
            WriteKey(entries[i].Key);
            AppendStructure(_keySeparator, origin);
            Write(entries[i].Value, depth + 1);
        }

        End("}", entries.Count == 0, depth, origin);
    }

    private void WriteKey(Value key)
    {
        if (key.IsString)
        {
            WriteString(key.Text);
        }
        else if (key.IsNumber || key.IsNone)
        {
            _output.Append($"\"{Scalar(key)}\"", Origin.Template);
        }
        else
        {
            throw new ChatTemplateException($"keys must be str, int, float, bool or None, not {PythonTypes.NameOf(key)}");
        }
    }

    private void StartItem(bool isFirst, int depth, Origin origin)
    {
        if (!isFirst)
        {
            AppendStructure(_itemSeparator, origin);
        }

        NewLine(depth, origin);
    }

    private void End(string bracket, bool isEmpty, int depth, Origin origin)
    {
        if (!isEmpty)
        {
            NewLine(depth, origin);
        }

        _output.Append(bracket, origin);
    }

    private void NewLine(int depth, Origin origin)
    {
        if (_indent is null)
        {
            return;
        }

        _output.Append("\n", origin);
        for (int i = 0; i < depth; i++)
        {
            AppendStructure(_indent, origin);
        }
    }

    private void AppendStructure(TrackedString text, Origin origin)
    {
        if (origin == Origin.Client)
        {
            _output.Append(text.AsSpan(), origin);
        }
        else
        {
            _output.Append(text);
        }
    }

    private void WriteString(TrackedString text)
    {
        Origin quotes = (text.Mask & Origin.Template) != 0 ? Origin.Template : Origin.Client;
        SearchValues<char> escaped = _ensureAscii ? EscapedOrNonAscii : Escaped;
        _output.Append("\"", quotes);
        int position = 0;
        while (position < text.Length)
        {
            int end = text.RunEnd(position, out Origin origin);
            ReadOnlySpan<char> rest = text.AsSpan()[position..end];
            for (int special = rest.IndexOfAny(escaped); special >= 0; special = rest.IndexOfAny(escaped))
            {
                _output.Append(rest[..special], origin);
                _output.Append(EscapeOf(rest[special]), origin);
                rest = rest[(special + 1)..];
            }

            _output.Append(rest, origin);
            position = end;
        }

        _output.Append("\"", quotes);
    }

    private static string EscapeOf(char character)
    {
        return character switch
        {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\f' => "\\f",
            '\b' => "\\b",
            _ => $"\\u{(int)character:x4}",
        };
    }
}

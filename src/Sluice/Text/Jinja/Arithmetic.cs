namespace Sluice.Text.Jinja;

/// <summary>Python's arithmetic, with 64-bit integers: a larger result is an error, never a wrong number.</summary>
internal static class Arithmetic
{
    public static Value Apply(string symbol, Value left, Value right, RenderContext context)
    {
        PythonTypes.RequireDefined(left);
        if (symbol == "%" && left.IsString)
        {
            return PercentFormat.Apply(left, right, context);
        }

        PythonTypes.RequireDefined(right);
        if (left.IsNumber && right.IsNumber)
        {
            return left.Kind is ValueKind.Integer or ValueKind.Boolean && right.Kind is ValueKind.Integer or ValueKind.Boolean
                ? ApplyToIntegers(symbol, left.Integer, right.Integer)
                : ApplyToFloats(symbol, left.Number, right.Number);
        }

        return symbol switch
        {
            "+" => Add(left, right, context),
            "*" when IsRepeatable(left) && right.Kind is ValueKind.Integer or ValueKind.Boolean => Repeat(left, right, context),
            "*" when IsRepeatable(right) && left.Kind is ValueKind.Integer or ValueKind.Boolean => Repeat(right, left, context),
            "*" when IsRepeatable(left) || IsRepeatable(right) =>
                throw new ChatTemplateException($"can't multiply sequence by non-int of type '{PythonTypes.NameOf(IsRepeatable(left) ? right : left)}'"),
            _ => throw Unsupported(symbol, left, right),
        };
    }

    public static Value Sign(Value operand, bool isNegative)
    {
        PythonTypes.RequireDefined(operand);
        if (!operand.IsNumber)
        {
            throw new ChatTemplateException($"bad operand type for unary {(isNegative ? '-' : '+')}: '{PythonTypes.NameOf(operand)}'");
        }

        if (operand.Kind is ValueKind.Integer or ValueKind.Boolean)
        {
            return isNegative ? ApplyToIntegers("-", 0, operand.Integer) : Value.FromInteger(operand.Integer);
        }

        return isNegative ? Value.FromFloat(-operand.Number) : operand;
    }

    private static Value Add(Value left, Value right, RenderContext context)
    {
        if (left.IsString && right.IsString)
        {
            bool isMarkup = left.IsMarkup || right.IsMarkup;
            TrackedString first = isMarkup && !left.IsMarkup ? Markup.Escape(left.Text, context) : left.Text;
            TrackedString second = isMarkup && !right.IsMarkup ? Markup.Escape(right.Text, context) : right.Text;
            return new Value(TrackedString.Concat(first, second, context.Budget), isMarkup);
        }

        if (left.Kind == right.Kind && left.Kind is ValueKind.List or ValueKind.Tuple)
        {
            List<Value> a = left.Sequence.Items;
            List<Value> b = right.Sequence.Items;
            context.Budget.ChargeSteps(a.Count + b.Count);
            List<Value> joined = [.. a, .. b];
            return left.Kind == ValueKind.List
                ? Value.FromList(joined, left.Sequence.FromClient && right.Sequence.FromClient)
                : Value.FromTuple(joined);
        }

        if (left.IsString || left.Kind is ValueKind.List or ValueKind.Tuple)
        {
            string type = PythonTypes.NameOf(left);
            throw new ChatTemplateException($"can only concatenate {type} (not \"{PythonTypes.NameOf(right)}\") to {type}");
        }

        throw Unsupported("+", left, right);
    }

    private static bool IsRepeatable(Value value)
    {
        return value.Kind is ValueKind.String or ValueKind.List or ValueKind.Tuple;
    }

    private static Value Repeat(Value repeated, Value times, RenderContext context)
    {
        long count = Math.Max(0, times.Integer);
        if (repeated.IsString)
        {
            int length = repeated.Text.Length;
            if (length == 0 || count == 0)
            {
                return Value.EmptyString;
            }

            if (count > RenderBudget.MaxCharacters / length)
            {
                throw RenderBudget.CharactersSpent();
            }

            TextBuilder builder = new(context.Budget);
            if (length == 1)
            {
                builder.Append(repeated.Text.AsSpan()[0], (int)count, repeated.Text.Mask);
                return new Value(builder.ToTracked(), repeated.IsMarkup);
            }

            context.Budget.ChargeSteps(count);
            for (long i = 0; i < count; i++)
            {
                builder.Append(repeated.Text);
            }

            return new Value(builder.ToTracked(), repeated.IsMarkup);
        }

        List<Value> items = repeated.Sequence.Items;
        context.Budget.ChargeSteps(Math.Min(count, RenderBudget.MaxSteps) * Math.Min(items.Count, RenderBudget.MaxSteps));
        List<Value> copies = [];
        for (long i = 0; i < count && items.Count > 0; i++)
        {
            copies.AddRange(items);
        }

        return repeated.Kind == ValueKind.List ? Value.FromList(copies, repeated.Sequence.FromClient) : Value.FromTuple(copies);
    }

    private static Value ApplyToIntegers(string symbol, long left, long right)
    {
        if (right == 0 && symbol is "/" or "//" or "%")
        {
            throw new ChatTemplateException(symbol switch
            {
                "/" => "division by zero",
                "//" => "integer division or modulo by zero",
                _ => "integer modulo by zero",
            });
        }

        try
        {
            checked
            {
                return symbol switch
                {
                    "+" => Value.FromInteger(left + right),
                    "-" => Value.FromInteger(left - right),
                    "*" => Value.FromInteger(left * right),
                    "/" => Value.FromFloat((double)left / right),
                    "//" => Value.FromInteger(FloorDivide(left, right)),
                    "%" => Value.FromInteger(right == -1 ? 0 : left - (FloorDivide(left, right) * right)),
                    _ => right < 0 ? Value.FromFloat(Math.Pow(left, right)) : Value.FromInteger(Power(left, right)),
                };
            }
        }
        catch (OverflowException)
        {
            throw new ChatTemplateException($"the result of '{symbol}' does not fit 64 bits");
        }
    }

    private static Value ApplyToFloats(string symbol, double left, double right)
    {
        if (right == 0 && symbol is "/" or "//" or "%")
        {
            throw new ChatTemplateException(symbol == "%" ? "float modulo" : "float division by zero");
        }

        return Value.FromFloat(symbol switch
        {
            "+" => left + right,
            "-" => left - right,
            "*" => left * right,
            "/" => left / right,
            "//" => Math.Floor(left / right),
            "%" => left - (Math.Floor(left / right) * right),
            _ => Math.Pow(left, right),
        });
    }

    private static long FloorDivide(long left, long right)
    {
        long quotient = checked(left / right);
        return left % right != 0 && (left < 0) != (right < 0) ? quotient - 1 : quotient;
    }

    private static long Power(long number, long exponent)
    {
        long result = 1;
        while (exponent > 0)
        {
            if ((exponent & 1) == 1)
            {
                result = checked(result * number);
            }

            exponent >>= 1;
            if (exponent > 0)
            {
                number = checked(number * number);
            }
        }

        return result;
    }

    private static ChatTemplateException Unsupported(string symbol, Value left, Value right)
    {
        string name = symbol == "**" ? "** or pow()" : symbol;
        return new ChatTemplateException(
            $"unsupported operand type(s) for {name}: '{PythonTypes.NameOf(left)}' and '{PythonTypes.NameOf(right)}'");
    }
}

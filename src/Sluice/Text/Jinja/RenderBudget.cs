using System.Runtime.CompilerServices;

namespace Sluice.Text.Jinja;

/// <summary>
/// What one rendering may use. Steps are the clock: every node evaluated, list item produced and 64 characters touched
/// is one, so that a template ends after the same work on every machine (2 M steps take 50 to 300 ms).
/// </summary>
internal sealed class RenderBudget
{
    public const long MaxSteps = 2_000_000;

    /// <summary>UTF-16 code units written to any string or to the output: 64 MiB.</summary>
    public const long MaxCharacters = 32 << 20;

    public const int MaxCallDepth = 200;
    public const int MaxRangeLength = 100_000;
    private const int CharactersPerStep = 64;

    /// <summary>A call makes a scope, an output and their tables.</summary>
    private const int StepsPerCall = 10;


    private long _steps;
    private long _characters;
    private int _callDepth;

    /// <summary>The line of the node evaluated last, for error messages.</summary>
    public int Line { get; private set; }

    public void Step(int line)
    {
        Line = line;
        if (++_steps > MaxSteps)
        {
            throw StepsSpent();
        }

        EnsureStack();
    }

    public void ChargeSteps(long count)
    {
        _steps += count;
        if (_steps > MaxSteps)
        {
            throw StepsSpent();
        }
    }

    /// <summary>Reading that many characters, as a search or a comparison does.</summary>
    public void ChargeScan(long characterCount)
    {
        ChargeSteps(characterCount / CharactersPerStep);
    }

    /// <summary>Writing that many characters; called before they are allocated.</summary>
    public void ChargeCharacters(long characterCount)
    {
        _characters += characterCount;
        if (_characters > MaxCharacters)
        {
            throw CharactersSpent();
        }

        ChargeSteps(characterCount / CharactersPerStep);
    }

    public void EnterCall()
    {
        if (++_callDepth > MaxCallDepth)
        {
            throw new ChatTemplateException($"the chat template nests more than {MaxCallDepth} calls") { IsBudget = true };
        }

        ChargeSteps(StepsPerCall);
    }

    public void LeaveCall()
    {
        _callDepth--;
    }

    /// <summary>Deeply nested data or code ends in an error, not in the process's stack overflow.</summary>
    public static void EnsureStack()
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw new ChatTemplateException("the chat template or its data is nested too deeply") { IsBudget = true };
        }
    }

    public static ChatTemplateException CharactersSpent()
    {
        return new ChatTemplateException($"the chat template produces more than {MaxCharacters * 2 >> 20} MiB of text") { IsBudget = true };
    }

    private static ChatTemplateException StepsSpent()
    {
        return new ChatTemplateException($"the chat template takes more than {MaxSteps} steps") { IsBudget = true };
    }
}

using System.Text.Json;
using Sluice.Text.Jinja;

namespace Sluice.Text;

/// <summary>
/// A chat template in the Jinja dialect of Hugging Face tokenizers, parsed once and rendered by any thread. It runs in
/// our own interpreter, which has no way to the program's objects and a budget of steps, text and depth, so a template
/// or a conversation that is out to do harm ends in a <see cref="ChatTemplateException"/>.
/// </summary>
public sealed class ChatTemplate
{
    /// <summary>The largest template that is parsed, in characters; real ones stay under 20 thousand.</summary>
    private const int MaxSourceLength = 1 << 20;

    private readonly List<Statement> _statements;
    private readonly ChatTemplateTokens _tokens;
    private readonly bool _keepNullContent;

    private ChatTemplate(List<Statement> statements, ChatTemplateTokens tokens)
    {
        _statements = statements;
        _tokens = tokens;
        _keepNullContent = TemplateAnalysis.TestsContentForNone(statements);
        ContentFormat = TemplateAnalysis.ContentFormat(statements);
        Variables = TemplateAnalysis.FreeVariables(statements);
    }

    /// <summary>What the template expects as messages' content, found by whether it loops over it.</summary>
    public ChatContentFormat ContentFormat { get; }

    /// <summary>The variables that the template may read from outside.</summary>
    public IReadOnlySet<string> Variables { get; private set; }

    /// <summary>The special tokens that it can name.</summary>
    internal ChatTemplateTokens Tokens => _tokens;

    /// <summary>The variant that a model has for conversations with tools.</summary>
    private ChatTemplate? ToolUse { get; set; }

    /// <summary>Parses a template.</summary>
    /// <exception cref="ChatTemplateException">It is not a valid template; says where.</exception>
    public static ChatTemplate Parse(string source, ChatTemplateTokens tokens)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(tokens);
        return source.Length > MaxSourceLength
            ? throw new ChatTemplateException($"the chat template is longer than {MaxSourceLength} characters")
            : new ChatTemplate(TemplateParser.Parse(source), tokens);
    }

    /// <summary>Renders a conversation.</summary>
    /// <exception cref="ChatTemplateException">The template or the conversation does not allow it; the message is for the client.</exception>
    public RenderedPrompt Render(ChatTemplateInput input)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (ToolUse is not null && input.Tools is { ValueKind: JsonValueKind.Array } tools && tools.GetArrayLength() > 0)
        {
            return ToolUse.Render(input);
        }

        if (input.ContinueFinalMessage && input.AddGenerationPrompt)
        {
            throw new ChatTemplateException("continue_final_message and add_generation_prompt cannot both be set")
            {
                Parameter = "continue_final_message",
            };
        }

        ChatMessageOptions options = new(input.ContentFormat ?? ContentFormat, _keepNullContent, ParseArguments: true, input.ContinueFinalMessage);
        ChatMessages messages = new(options);
        Value converted = messages.Convert(input.Messages);
        try
        {
            return Render(input, converted, messages.UsesEmptyMark);
        }
        catch (ChatTemplateException error) when (messages.HasParsedArguments && !error.IsBudget)
        {
            // Most templates want tool calls' arguments as objects; those that join them to text want what the client sent.
            Value raw = new ChatMessages(options with { ParseArguments = false }).Convert(input.Messages);
            try
            {
                return Render(input, raw, messages.UsesEmptyMark);
            }
            catch (ChatTemplateException)
            {
                throw error;
            }
        }
    }

    /// <summary>Renders messages as they are, the way Hugging Face's apply_chat_template does.</summary>
    internal RenderedPrompt RenderUnchanged(ChatTemplateInput input)
    {
        ChatMessages messages = new(new ChatMessageOptions(null, KeepNullContent: true, ParseArguments: false, input.ContinueFinalMessage));
        return Render(input, messages.Convert(input.Messages), messages.UsesEmptyMark);
    }

    /// <summary>This template, with another for the conversations that have tools.</summary>
    internal ChatTemplate WithToolUse(ChatTemplate toolUse)
    {
        return new ChatTemplate(_statements, _tokens)
        {
            ToolUse = toolUse,
            Variables = new HashSet<string>(Variables.Concat(toolUse.Variables), StringComparer.Ordinal),
        };
    }

    private RenderedPrompt Render(ChatTemplateInput input, Value messages, bool usesEmptyMark)
    {
        RenderContext context = new(input.Now ?? TimeProvider.System.GetLocalNow());
        TextBuilder output = new(context.Budget, capacity: 1024);
        try
        {
            Statement.ExecuteAll(_statements, CreateScope(input, messages, context), output);
        }
        catch (ChatTemplateException error)
        {
            error.Line ??= context.Budget.Line;
            throw;
        }

        (string text, OriginRun[] runs) = output.Finish();
        int length = input.ContinueFinalMessage ? FindEndOfContinued(runs, usesEmptyMark) : text.Length;
        return new RenderedPrompt(length == text.Length ? text : text[..length], SpansOf(runs, length));
    }

    private Scope CreateScope(ChatTemplateInput input, Value messages, RenderContext context)
    {
        Scope scope = new(context, null);
        Globals.AddTo(scope);
        if (input.Kwargs is not null)
        {
            ChatTemplateArguments.AddTo(scope, input.Kwargs, Variables);
        }

        scope.Set("messages", messages);
        scope.Set("tools", input.Tools is JsonElement tools ? JsonValues.Convert(tools, "tools") : Value.None);
        scope.Set("documents", input.Documents is JsonElement documents ? JsonValues.Convert(documents, "documents") : Value.None);
        scope.Set("add_generation_prompt", Value.FromBoolean(input.AddGenerationPrompt));
        SetToken(scope, "bos_token", _tokens.Bos);
        SetToken(scope, "eos_token", _tokens.Eos);
        SetToken(scope, "pad_token", _tokens.Pad);
        SetToken(scope, "unk_token", _tokens.Unk);
        SetToken(scope, "sep_token", _tokens.Sep);
        SetToken(scope, "cls_token", _tokens.Cls);
        SetToken(scope, "mask_token", _tokens.Mask);
        return scope.Child();
    }

    private static void SetToken(Scope scope, string name, string? token)
    {
        if (token is not null)
        {
            scope.Set(name, Value.FromString(token));
        }
    }

    private static int FindEndOfContinued(OriginRun[] runs, bool usesEmptyMark)
    {
        int last = Array.FindLastIndex(runs, run => run.Origin == Origin.Continued);
        if (last < 0)
        {
            throw new ChatTemplateException(
                "continue_final_message is set, but the chat template leaves the final message's text out of the prompt")
            {
                Parameter = "continue_final_message",
            };
        }

        return usesEmptyMark ? runs[last].End - 1 : runs[last].End;
    }

    private static List<TextSpan> SpansOf(OriginRun[] runs, int length)
    {
        List<TextSpan> spans = [];
        int start = 0;
        foreach (OriginRun run in runs)
        {
            int end = Math.Min(run.End, length);
            if (run.Origin != Origin.Template && end > start)
            {
                if (spans.Count > 0 && spans[^1].Start + spans[^1].Length == start)
                {
                    spans[^1] = new TextSpan(spans[^1].Start, end - spans[^1].Start);
                }
                else
                {
                    spans.Add(new TextSpan(start, end - start));
                }
            }

            start = run.End;
        }

        return spans;
    }
}

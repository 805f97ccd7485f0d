using System.Text.Json;
using Sluice.Requests;
using Sluice.Text;

namespace Sluice.Server.OpenAi;

/// <summary>From the messages of a chat to a prompt, by the model's template.</summary>
internal sealed class ChatPrompts
{
    private readonly ServerOptions _options;
    private readonly LlmEngine _engine;
    private readonly Text.ChatContentFormat? _contentFormat;

    public ChatPrompts(ServerOptions options, LlmEngine engine)
    {
        _options = options;
        _engine = engine;
        _contentFormat = options.ChatTemplateContentFormat switch
        {
            ChatContentFormat.String => Text.ChatContentFormat.String,
            ChatContentFormat.OpenAi => Text.ChatContentFormat.OpenAi,
            _ => null,
        };
    }

    /// <summary>Renders the messages of a request.</summary>
    /// <exception cref="RequestValidationException">The messages, the tools or the template do not allow it.</exception>
    public RenderedChat Render(Fields fields, bool hasTools)
    {
        JsonElement messages = fields.List(Limits.Messages) ?? throw fields.Wrong("messages", "is required");
        if (messages.GetArrayLength() == 0)
        {
            throw fields.Wrong("messages", "must have at least one message, got []");
        }

        bool continuesFinal = fields.Boolean(Limits.ContinueFinalMessage, false);
        bool addsHeader = fields.Boolean(Limits.AddGenerationPrompt, true);
        if (continuesFinal && addsHeader)
        {
            throw new RequestValidationException(
                "Cannot set both `continue_final_message` and `add_generation_prompt` to True.", "continue_final_message");
        }

        Dictionary<string, JsonElement>? kwargs = Kwargs(fields);
        ChatTemplateInput input = new()
        {
            Messages = messages,
            Tools = hasTools ? fields.List(Limits.Tools) : null,
            Documents = fields.List(Limits.Documents),
            AddGenerationPrompt = addsHeader,
            ContinueFinalMessage = continuesFinal,
            Kwargs = kwargs,
            ContentFormat = _contentFormat,
        };
        ChatTemplate template = Template(fields);
        try
        {
            bool enableThinking = kwargs is null || !kwargs.TryGetValue("enable_thinking", out JsonElement value)
                || value.ValueKind != JsonValueKind.False;
            return new RenderedChat(template.Render(input), continuesFinal, enableThinking);
        }
        catch (ChatTemplateException exception)
        {
            throw new RequestValidationException(exception.Message, exception.Parameter ?? "messages");
        }
        catch (InvalidOperationException)
        {
            // What the JSON reader throws for half of a surrogate pair.
            throw new RequestValidationException("messages have text that is not valid Unicode", "messages");
        }
    }

    private ChatTemplate Template(Fields fields)
    {
        if (fields.Text(Limits.ChatTemplate) is { } source)
        {
            return !_options.TrustRequestChatTemplate
                ? throw new RequestValidationException(
                    "Chat template is passed with request, but --trust-request-chat-template is not set. Refused request with untrusted "
                    + "chat template.",
                    "chat_template")
                : Parse(source);
        }

        return _engine.ChatTemplate ?? throw new RequestValidationException(
            _engine.Tokenizer is null
                ? "This model is served without a tokenizer: use /v1/completions with token ids"
                : "This model has no chat template: start the server with --chat-template FILE",
            "messages");
    }

    private ChatTemplate Parse(string source)
    {
        try
        {
            return ChatTemplate.Parse(source, _engine.ChatTemplate?.Tokens ?? new ChatTemplateTokens(null, null));
        }
        catch (ChatTemplateException exception)
        {
            throw new RequestValidationException(exception.Message, "chat_template");
        }
    }

    // The server's own, then the request's field, then the request's variables: the most particular wins.
    private Dictionary<string, JsonElement>? Kwargs(Fields fields)
    {
        Dictionary<string, JsonElement>? kwargs = null;
        Add(ref kwargs, _options.DefaultChatTemplateKwargs);
        if (fields.Text(Limits.ReasoningEffort) is not null && fields.TryGet(Limits.ReasoningEffort.Name, out JsonElement effort))
        {
            (kwargs ??= new(StringComparer.Ordinal))["reasoning_effort"] = effort;
        }

        Add(ref kwargs, fields.Object(Limits.ChatTemplateKwargs));
        return kwargs;
    }

    private static void Add(ref Dictionary<string, JsonElement>? kwargs, JsonElement? more)
    {
        if (more is JsonElement values)
        {
            kwargs ??= new(StringComparer.Ordinal);
            foreach (JsonProperty property in values.EnumerateObject())
            {
                kwargs[property.Name] = property.Value;
            }
        }
    }
}

/// <summary>The prompt of a chat.</summary>
/// <param name="Prompt">Text, and which of it clients wrote.</param>
/// <param name="ContinuesFinalMessage">The model goes on with the last message.</param>
/// <param name="EnableThinking">The template's variable of that name is not false.</param>
internal sealed record RenderedChat(RenderedPrompt Prompt, bool ContinuesFinalMessage, bool EnableThinking);

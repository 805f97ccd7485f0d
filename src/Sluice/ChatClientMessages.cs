using System.Buffers;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Sluice.Text;

namespace Sluice;

/// <summary>Turns the messages of a chat client into the prompt of a model.</summary>
internal static class ChatClientMessages
{
    /// <summary>Renders the conversation with the model's template, up to where the assistant's answer starts.</summary>
    public static RenderedPrompt Render(ChatTemplate template, IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        using JsonDocument json = ToJson(messages, options?.Instructions);
        using JsonDocument? kwargs = ChatClientOptions.TemplateArguments(options);
        return template.Render(new ChatTemplateInput
        {
            Messages = json.RootElement,
            Kwargs = kwargs?.RootElement.EnumerateObject().ToDictionary(static item => item.Name, static item => item.Value),
        });
    }

    private static JsonDocument ToJson(IEnumerable<ChatMessage> messages, string? instructions)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter writer = new(buffer))
        {
            writer.WriteStartArray();
            if (!string.IsNullOrEmpty(instructions))
            {
                Write(writer, ChatRole.System, instructions, name: null);
            }

            foreach (ChatMessage message in messages)
            {
                Write(writer, message.Role, TextOf(message), message.AuthorName);
            }

            writer.WriteEndArray();
        }

        return JsonDocument.Parse(buffer.WrittenMemory);
    }

    private static void Write(Utf8JsonWriter writer, ChatRole role, string content, string? name)
    {
        writer.WriteStartObject();
        writer.WriteString("role", role.Value);
        writer.WriteString("content", content);
        if (name is not null)
        {
            writer.WriteString("name", name);
        }

        writer.WriteEndObject();
    }

    /// <summary>The texts of a message, joined. What the model thought earlier is not part of the conversation.</summary>
    private static string TextOf(ChatMessage message)
    {
        foreach (AIContent content in message.Contents)
        {
            if (content is not (TextContent or TextReasoningContent or UsageContent))
            {
                throw new NotSupportedException(
                    $"Messages of this client are text; a message of role {message.Role.Value} holds a {content.GetType().Name}.");
            }
        }

        return message.Text;
    }
}

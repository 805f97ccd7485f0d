using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Sluice.Requests;
using Sluice.Text;
using Sluice.Text.Reasoning;

namespace Sluice;

/// <summary>
/// A chat client over an engine in the same process, for everything that is written against Microsoft.Extensions.AI. Thread-safe;
/// requests of many callers run side by side in the engine. The engine stays its owner's: disposing the client leaves it running.
/// </summary>
public sealed class SluiceChatClient : IChatClient
{
    private readonly LlmEngine _engine;
    private readonly Tokenizer _tokenizer;
    private readonly ChatTemplate _template;
    private readonly string? _reasoningParser;
    private readonly ChatClientMetadata _metadata;

    /// <param name="engine">An engine whose model has a tokenizer and a chat template.</param>
    /// <param name="modelId">Name of the model in answers; none for that of its folder.</param>
    /// <param name="reasoningParser">
    /// Splits what the model thinks from what it says, as <c>--reasoning-parser</c> does: <c>deepseek_r1</c> or <c>qwen3</c>. What it thinks then
    /// comes as <see cref="TextReasoningContent"/>.
    /// </param>
    /// <exception cref="InvalidOperationException">The model has no tokenizer or no chat template.</exception>
    public SluiceChatClient(LlmEngine engine, string? modelId = null, string? reasoningParser = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        _engine = engine;
        _tokenizer = LlmEngineExtensions.RequireTokenizer(engine);
        _template = engine.ChatTemplate ?? throw new InvalidOperationException(
            "The model has no chat template: set EngineOptions.ChatTemplate, or use LlmEngine.Stream with a prompt of your own.");
        if (reasoningParser is not null)
        {
            ReasoningParser.Create(reasoningParser);
        }

        _reasoningParser = reasoningParser;
        string folder = Path.TrimEndingDirectorySeparator(engine.Options.Model);
        _metadata = new ChatClientMetadata("sluice", providerUri: null, modelId ?? Path.GetFileName(folder));
    }

    /// <inheritdoc/>
    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate update in GetStreamingResponseAsync(messages, options, cancellationToken).ConfigureAwait(false))
        {
            updates.Add(update);
        }

        return updates.ToChatResponse();
    }

    /// <inheritdoc/>
    /// <exception cref="RequestValidationException">An option is out of range, or the conversation is too long.</exception>
    /// <exception cref="ChatTemplateException">The template refuses the conversation.</exception>
    /// <exception cref="NotSupportedException">Tools, JSON output or contents other than text were asked for.</exception>
    /// <exception cref="InvalidOperationException">The engine could not finish the answer.</exception>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        RenderedPrompt prompt = ChatClientMessages.Render(_template, messages, options);
        GenerationRequest request = new()
        {
            Id = LlmEngineExtensions.NextRequestId("chat"),
            PromptTokenIds = _tokenizer.Encode(prompt.Text, addSpecialTokens: false, prompt.ContentSpans),
            Sampling = ChatClientOptions.ToSampling(options, _engine.DefaultSampling()),
            Priority = ChatClientOptions.Priority(options),
            CacheSalt = ChatClientOptions.CacheSalt(options),
        };
        ReasoningParser? reasoning = _reasoningParser is null
            ? null
            : ReasoningParser.Create(_reasoningParser, prompt.Text, false, ChatClientOptions.EnableThinking(options));
        Answer answer = new(request, options?.ModelId ?? _metadata.DefaultModelId, reasoning);

        await using TextStream stream = _engine.Stream(request);
        await foreach (TextOutput output in stream.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            ChatResponseUpdate? update = answer.Next(output);
            if (update is not null)
            {
                yield return update;
            }
        }
    }

    /// <summary>The engine, its tokenizer, its template, the client itself or its metadata.</summary>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(ChatClientMetadata) ? _metadata
            : serviceType == typeof(LlmEngine) ? _engine
            : serviceType == typeof(Tokenizer) ? _tokenizer
            : serviceType == typeof(ChatTemplate) ? _template
            : serviceType.IsInstanceOfType(this) ? this
            : null;
    }

    /// <summary>Does nothing: the engine belongs to whoever loaded it.</summary>
    public void Dispose()
    {
    }

    /// <summary>One answer while it comes.</summary>
    private sealed class Answer(GenerationRequest request, string? modelId, ReasoningParser? reasoning)
    {
        private readonly DateTimeOffset _createdAt = DateTimeOffset.UtcNow;
        private int _tokenCount;
        private int _cachedTokenCount;

        /// <summary>What the caller gets of an output: none when it holds no text yet.</summary>
        public ChatResponseUpdate? Next(TextOutput output)
        {
            _tokenCount += output.TokenIds.Count;
            _cachedTokenCount = Math.Max(_cachedTokenCount, output.CachedTokenCount);
            if (output.FinishReason == FinishReason.Error)
            {
                throw new InvalidOperationException(output.Error ?? "The engine could not finish the answer.");
            }

            List<AIContent> contents = [];
            if (reasoning is null)
            {
                AddText(contents, output.Text);
            }
            else
            {
                Add(contents, reasoning.Append(output.Text, output.TokenIds.Count));
                if (output.FinishReason is not null)
                {
                    Add(contents, reasoning.Flush());
                }
            }

            if (output.FinishReason is not null)
            {
                contents.Add(new UsageContent(Usage()));
            }

            return contents.Count == 0 ? null : new ChatResponseUpdate(ChatRole.Assistant, contents)
            {
                ResponseId = request.Id,
                MessageId = request.Id,
                ModelId = modelId,
                CreatedAt = _createdAt,
                FinishReason = Map(output.FinishReason),
            };
        }

        private static void Add(List<AIContent> contents, ReasoningDelta delta)
        {
            if (delta.Reasoning.Length > 0)
            {
                contents.Add(new TextReasoningContent(delta.Reasoning));
            }

            AddText(contents, delta.Content);
        }

        private static void AddText(List<AIContent> contents, string text)
        {
            if (text.Length > 0)
            {
                contents.Add(new TextContent(text));
            }
        }

        private static ChatFinishReason? Map(FinishReason? reason) => reason switch
        {
            null => null,
            FinishReason.Stop => ChatFinishReason.Stop,
            FinishReason.Length => ChatFinishReason.Length,
            _ => new ChatFinishReason("abort"),
        };

        private UsageDetails Usage() => new()
        {
            InputTokenCount = request.PromptTokenIds.Count,
            OutputTokenCount = _tokenCount,
            TotalTokenCount = request.PromptTokenIds.Count + _tokenCount,
            CachedInputTokenCount = _cachedTokenCount,
            ReasoningTokenCount = reasoning?.ReasoningTokenCount,
        };
    }
}

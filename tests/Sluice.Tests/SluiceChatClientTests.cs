using Microsoft.Extensions.AI;
using Sluice.Requests;
using Sluice.Text;

namespace Sluice.Tests;

public sealed class SluiceChatClientTests : IClassFixture<BundledEngine>, IDisposable
{
    private readonly BundledEngine _bundled;
    private readonly SluiceChatClient _client;

    public SluiceChatClientTests(BundledEngine bundled)
    {
        _bundled = bundled;
        _client = new SluiceChatClient(bundled.Engine);
    }

    private static ChatOptions Greedy => new() { Temperature = 0, MaxOutputTokens = 20 };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task GetResponseAsync_Question_AnswersWithUsageAndReason()
    {
        ChatResponse response = await _client.GetResponseAsync("Tell me a story about a fox.", Greedy, Cancellation);
        Assert.NotEmpty(response.Text);
        Assert.Equal(ChatRole.Assistant, response.Messages.Single().Role);
        Assert.Equal("storyteller-7m", response.ModelId);
        Assert.True(response.FinishReason == ChatFinishReason.Length || response.FinishReason == ChatFinishReason.Stop);
        Assert.InRange(response.Usage!.OutputTokenCount!.Value, 1, 20);
        Assert.Equal(response.Usage.InputTokenCount + response.Usage.OutputTokenCount, response.Usage.TotalTokenCount);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_SameQuestion_SameTextInParts()
    {
        ChatMessage[] messages = [new(ChatRole.System, "Be brief."), new(ChatRole.User, "Tell me a story.")];
        ChatResponse whole = await _client.GetResponseAsync(messages, Greedy, Cancellation);
        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate update in _client.GetStreamingResponseAsync(messages, Greedy, Cancellation))
        {
            updates.Add(update);
        }

        Assert.Equal(whole.Text, string.Concat(updates.Select(update => update.Text)));
        Assert.Single(updates, update => update.FinishReason is not null);
        Assert.NotNull(updates[^1].FinishReason);

        // Instructions are a system message.
        ChatOptions instructed = Greedy;
        instructed.Instructions = "Be brief.";
        ChatResponse same = await _client.GetResponseAsync(messages[1..], instructed, Cancellation);
        Assert.Equal(whole.Text, same.Text);
        Assert.Equal(whole.Usage!.InputTokenCount, same.Usage!.InputTokenCount);
    }

    [Fact]
    public async Task GetResponseAsync_ControlTokensInContent_AreText()
    {
        ChatResponse plain = await _client.GetResponseAsync("x", Greedy, Cancellation);
        ChatResponse tricky = await _client.GetResponseAsync("x<|end|>", Greedy, Cancellation);

        // As a control token it would be one more token; as text it is several.
        Assert.True(tricky.Usage!.InputTokenCount > plain.Usage!.InputTokenCount + 1);
    }

    [Fact]
    public async Task GetResponseAsync_Options_ReachTheSampler()
    {
        ChatOptions options = new()
        {
            Temperature = 1.2f, TopP = 0.9f, TopK = 30, Seed = 3, MaxOutputTokens = 12, FrequencyPenalty = 0.2f, PresencePenalty = 0.1f,
            AdditionalProperties = new() { ["min_p"] = 0.01, ["repetition_penalty"] = 1.1, ["min_tokens"] = 12, ["ignore_eos"] = true },
        };
        ChatResponse first = await _client.GetResponseAsync("Tell me a story.", options, Cancellation);
        ChatResponse again = await _client.GetResponseAsync("Tell me a story.", options, Cancellation);
        options.Seed = 4;
        ChatResponse other = await _client.GetResponseAsync("Tell me a story.", options, Cancellation);
        Assert.Equal(first.Text, again.Text);
        Assert.NotEqual(first.Text, other.Text);
        Assert.Equal(12, first.Usage!.OutputTokenCount);
        Assert.Equal(ChatFinishReason.Length, first.FinishReason);
    }

    [Fact]
    public async Task GetResponseAsync_StopSequence_EndsTheAnswer()
    {
        ChatResponse whole = await _client.GetResponseAsync("Tell me a story.", Greedy, Cancellation);
        string stop = whole.Text[(whole.Text.Length / 2)..][..4];
        ChatOptions options = Greedy;
        options.StopSequences = [stop];
        ChatResponse response = await _client.GetResponseAsync("Tell me a story.", options, Cancellation);
        Assert.Equal(whole.Text[..whole.Text.IndexOf(stop, StringComparison.Ordinal)], response.Text);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
    }

    [Fact]
    public async Task GetResponseAsync_WhatCannotBeDone_IsRefused()
    {
        ChatOptions options = Greedy;
        options.Temperature = 3;
        var range = await Assert.ThrowsAsync<RequestValidationException>(() => _client.GetResponseAsync("x", options, Cancellation));
        Assert.Equal("temperature", range.Parameter);
        options = new() { AdditionalProperties = new() { ["min_p"] = "much" } };
        var type = await Assert.ThrowsAsync<RequestValidationException>(() => _client.GetResponseAsync("x", options, Cancellation));
        Assert.Equal("min_p", type.Parameter);
        options = new() { Tools = [AIFunctionFactory.CreateDeclaration("f", "", default)] };
        await Assert.ThrowsAsync<NotSupportedException>(() => _client.GetResponseAsync("x", options, Cancellation));
        options = new() { ResponseFormat = ChatResponseFormat.Json };
        await Assert.ThrowsAsync<NotSupportedException>(() => _client.GetResponseAsync("x", options, Cancellation));
        ChatMessage image = new(ChatRole.User, [new DataContent(new byte[] { 1 }, "image/png")]);
        await Assert.ThrowsAsync<NotSupportedException>(() => _client.GetResponseAsync([image], cancellationToken: Cancellation));
        ChatMessage role = new(new ChatRole("judge"), "x");
        await Assert.ThrowsAsync<ChatTemplateException>(() => _client.GetResponseAsync([role], cancellationToken: Cancellation));
    }

    [Fact]
    public async Task GetStreamingResponseAsync_Cancelled_StopsTheEngine()
    {
        using CancellationTokenSource cancellation = new();
        ChatOptions options = new()
        {
            MaxOutputTokens = 400, AdditionalProperties = new() { ["ignore_eos"] = true },
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (ChatResponseUpdate _ in _client.GetStreamingResponseAsync("x", options, cancellation.Token))
            {
                await cancellation.CancelAsync();
            }
        });
        for (int i = 0; i < 500 && _bundled.Engine.Stats.RunningCount > 0; i++)
        {
            await Task.Delay(10, Cancellation);
        }

        Assert.Equal(0, _bundled.Engine.Stats.RunningCount);
    }

    [Fact]
    public void GetService_KnownTypes_AreFound()
    {
        IChatClient client = _client;
        Assert.Same(_bundled.Engine, client.GetService<LlmEngine>());
        Assert.Same(_client, client.GetService<IChatClient>());
        Assert.Equal("storyteller-7m", client.GetService<ChatClientMetadata>()!.DefaultModelId);
        Assert.Null(client.GetService<HttpClient>());
        Assert.Null(client.GetService(typeof(LlmEngine), "key"));
    }
}

using System.ClientModel;
using System.Text;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Models;
using Sluice.Server.Tests.Support;

namespace Sluice.Server.Tests;

/// <summary>The official .NET client, which reads answers by its own idea of the protocol.</summary>
public sealed class OpenAiClientTests(Storyteller model)
{
    private const string Key = "sk-test-key";

    [Fact]
    public async Task Chat_Whole_IsUnderstood()
    {
        await using TestServer server = await StartAsync();
        ChatCompletion answer = await Chat(server).CompleteChatAsync(
            [new SystemChatMessage("You tell stories."), new UserChatMessage("Tell me a story about a king.")],
            new ChatCompletionOptions { MaxOutputTokenCount = 30, Temperature = 0, IncludeLogProbabilities = true, TopLogProbabilityCount = 2 },
            TestContext.Current.CancellationToken);
        Assert.NotEmpty(answer.Content[0].Text);
        Assert.Equal(ChatMessageRole.Assistant, answer.Role);
        Assert.Equal(TestServer.ModelName, answer.Model);
        Assert.Equal(30, answer.Usage.OutputTokenCount);
        Assert.Equal(answer.Usage.InputTokenCount + 30, answer.Usage.TotalTokenCount);
        Assert.Equal(ChatFinishReason.Length, answer.FinishReason);
        Assert.Equal(30, answer.ContentTokenLogProbabilities.Count);
        Assert.Equal(2, answer.ContentTokenLogProbabilities[0].TopLogProbabilities.Count);
    }

    [Fact]
    public async Task Chat_Stream_GivesTheSameTextAndUsage()
    {
        await using TestServer server = await StartAsync();
        ChatMessage[] messages = [new UserChatMessage("Tell me a story about a king.")];
        ChatCompletionOptions options = new() { MaxOutputTokenCount = 25, Temperature = 0 };
        ChatCompletion whole = await Chat(server).CompleteChatAsync(messages, options, TestContext.Current.CancellationToken);
        StringBuilder text = new();
        ChatTokenUsage? usage = null;
        ChatFinishReason? reason = null;
        await foreach (StreamingChatCompletionUpdate update in Chat(server)
            .CompleteChatStreamingAsync(messages, options, TestContext.Current.CancellationToken))
        {
            foreach (ChatMessageContentPart part in update.ContentUpdate)
            {
                text.Append(part.Text);
            }

            usage = update.Usage ?? usage;
            reason = update.FinishReason ?? reason;
        }

        Assert.Equal(whole.Content[0].Text, text.ToString());
        Assert.Equal(ChatFinishReason.Length, reason);
        Assert.Equal(25, usage?.OutputTokenCount);
    }

    [Fact]
    public async Task Models_AreListedAndFound()
    {
        await using TestServer server = await StartAsync();
        OpenAIModelClient models = Client(server).GetOpenAIModelClient();
        OpenAIModelCollection all = await models.GetModelsAsync(TestContext.Current.CancellationToken);
        Assert.Equal([TestServer.ModelName, "second/name"], all.Select(static entry => entry.Id));
        OpenAIModel one = await models.GetModelAsync("second/name", TestContext.Current.CancellationToken);
        Assert.Equal("second/name", one.Id);
    }

    [Fact]
    public async Task Errors_CarryStatusAndText()
    {
        await using TestServer server = await StartAsync();
        ClientResultException unknown = await Assert.ThrowsAsync<ClientResultException>(async () =>
            await Client(server).GetChatClient("nobody").CompleteChatAsync([new UserChatMessage("a")], cancellationToken: TestContext.Current.CancellationToken));
        Assert.Equal(404, unknown.Status);
        Assert.Contains("The model `nobody` does not exist.", unknown.Message, StringComparison.Ordinal);
        ClientResultException wrong = await Assert.ThrowsAsync<ClientResultException>(async () =>
            await Chat(server).CompleteChatAsync(
                [new UserChatMessage("a")], new ChatCompletionOptions { Temperature = 3 }, TestContext.Current.CancellationToken));
        Assert.Equal(400, wrong.Status);
        Assert.Contains("temperature must be in [0, 2], got 3.0", wrong.Message, StringComparison.Ordinal);
        ClientResultException closed = await Assert.ThrowsAsync<ClientResultException>(async () =>
            await Client(server, "sk-other").GetChatClient(TestServer.ModelName)
                .CompleteChatAsync([new UserChatMessage("a")], cancellationToken: TestContext.Current.CancellationToken));
        Assert.Equal(401, closed.Status);
    }

    private Task<TestServer> StartAsync() => TestServer.StartAsync(
        model.Engine, static options => options with { ApiKeys = [Key], ServedModelNames = [TestServer.ModelName, "second/name"] });

    private static ChatClient Chat(TestServer server) => Client(server).GetChatClient(TestServer.ModelName);

    private static OpenAIClient Client(TestServer server, string key = Key) => new(
        new ApiKeyCredential(key),
        new OpenAIClientOptions { Endpoint = new Uri(server.Address, "/v1"), RetryPolicy = new System.ClientModel.Primitives.ClientRetryPolicy(0) });
}

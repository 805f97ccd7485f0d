using Microsoft.Extensions.AI;
using Sluice;

// dotnet run --project samples/Sluice.Samples.ChatClient -c Release -- models/storyteller-7m
string model = args.Length > 0 ? args[0] : "models/storyteller-7m";
await using LlmEngine engine = await LlmEngine.LoadAsync(new EngineOptions { Model = model });

// Whatever is written against Microsoft.Extensions.AI takes this client; no server and no HTTP in between.
using IChatClient client = new SluiceChatClient(engine);
List<ChatMessage> conversation = [new(ChatRole.User, "Tell me a story about a little dog.")];
var options = new ChatOptions { Temperature = 0.8f, MaxOutputTokens = 120 };

ChatResponse response = await client.GetResponseAsync(conversation, options);
Console.WriteLine(response.Text);
Console.WriteLine($"({response.Usage?.InputTokenCount} prompt tokens, {response.Usage?.OutputTokenCount} generated)");
Console.WriteLine();

conversation.AddMessages(response);
conversation.Add(new ChatMessage(ChatRole.User, "What happened then?"));
await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(conversation, options))
{
    Console.Write(update.Text);
}

Console.WriteLine();

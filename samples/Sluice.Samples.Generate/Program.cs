using Sluice;
using Sluice.Requests;

// dotnet run --project samples/Sluice.Samples.Generate -c Release -- models/storyteller-7m
string model = args.Length > 0 ? args[0] : "models/storyteller-7m";
await using LlmEngine engine = await LlmEngine.LoadAsync(new EngineOptions { Model = model });

// Many prompts at once: the engine runs as many side by side as fit.
string[] prompts = ["Once upon a time", "The old king", "In the middle of the forest"];
var sampling = new SamplingParams { Temperature = 0.8f, TopP = 0.95f, Seed = 1, MaxTokens = 40 };
IReadOnlyList<GenerationResult> results = await engine.GenerateAsync(prompts, sampling);
for (int index = 0; index < prompts.Length; index++)
{
    Console.WriteLine($"{prompts[index]}{results[index].Text}");
    Console.WriteLine();
}

// One prompt as a stream: text comes as it is generated. Leaving the loop ends the request.
string prompt = "There was once a little dog";
Console.Write(prompt);
await foreach (TextOutput output in engine.Stream(prompt, sampling with { MaxTokens = 100, StopStrings = ["\n\n"] }))
{
    Console.Write(output.Text);
}

Console.WriteLine();

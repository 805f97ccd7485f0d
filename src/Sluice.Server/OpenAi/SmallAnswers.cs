namespace Sluice.Server.OpenAi;

/// <summary>Answer of <c>/tokenize</c>.</summary>
internal sealed record TokenizeAnswer(int Count, int MaxModelLen, IReadOnlyList<int> Tokens, IReadOnlyList<string>? TokenStrs);

/// <summary>Answer of <c>/detokenize</c>.</summary>
internal sealed record DetokenizeAnswer(string Prompt);

/// <summary>Answer of <c>/version</c>.</summary>
internal sealed record VersionAnswer(string Version);

/// <summary>Answer of <c>/load</c>.</summary>
internal sealed record LoadAnswer(int ServerLoad);

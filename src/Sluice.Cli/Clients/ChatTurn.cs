namespace Sluice.Cli.Clients;

/// <summary>One message of a conversation.</summary>
internal readonly record struct ChatTurn(string Role, string Text);

namespace Sluice.Text.Jinja;

/// <summary>What one rendering shares: its budget and its clock.</summary>
internal sealed class RenderContext(DateTimeOffset now)
{
    public RenderBudget Budget { get; } = new();

    /// <summary>What <c>strftime_now</c> formats.</summary>
    public DateTimeOffset Now { get; } = now;
}

using System.Text;

namespace Sluice.Compute.Cuda;

/// <summary>
/// Names and values with which a kernel's source is compiled: <c>HEAD_DIM=128 GROUP=4</c>. An immutable value whose hash is
/// computed once; a launcher makes it when it first sees a shape and keeps it, so that a launch allocates nothing.
/// </summary>
internal sealed class KernelDefines : IEquatable<KernelDefines>
{
    private readonly int _hash;

    public KernelDefines(params ReadOnlySpan<(string Name, long Value)> values)
    {
        var text = new StringBuilder();
        foreach ((string name, long value) in values)
        {
            text.Append(text.Length > 0 ? " " : "").Append(name).Append('=').Append(value);
        }

        Text = text.ToString();
        _hash = Text.GetHashCode(StringComparison.Ordinal);
    }

    private KernelDefines(string text)
    {
        Text = text;
        _hash = text.GetHashCode(StringComparison.Ordinal);
    }

    /// <summary>No names besides those that every kernel is compiled with.</summary>
    public static KernelDefines None { get; } = new("");

    /// <summary><c>NAME=VALUE</c> separated by single spaces, in order.</summary>
    public string Text { get; }

    /// <summary>From <c>NAME=VALUE</c> words.</summary>
    public static KernelDefines Parse(string text) => new(string.Join(' ', text.Split(' ', StringSplitOptions.RemoveEmptyEntries)));

    /// <summary>Each <c>NAME=VALUE</c>.</summary>
    public string[] Words() => Text.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    public bool Equals(KernelDefines? other) =>
        ReferenceEquals(this, other) || (other is not null && _hash == other._hash && string.Equals(Text, other.Text, StringComparison.Ordinal));

    public override bool Equals(object? obj) => Equals(obj as KernelDefines);

    public override int GetHashCode() => _hash;

    public override string ToString() => Text;
}

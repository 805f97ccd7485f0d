using System.Runtime.InteropServices;
using System.Text;

namespace Sluice.Compute.Cuda.Interop;

/// <summary>Zero-terminated UTF-8 texts and arrays of them for a native call, freed together.</summary>
internal sealed unsafe class NativeTexts : IDisposable
{
    private readonly List<nint> _allocations = [];

    public byte* Add(string text)
    {
        int length = Encoding.UTF8.GetByteCount(text);
        var memory = (byte*)NativeMemory.Alloc((nuint)length + 1);
        _allocations.Add((nint)memory);
        Encoding.UTF8.GetBytes(text, new Span<byte>(memory, length));
        memory[length] = 0;
        return memory;
    }

    public byte** AddAll(IEnumerable<string> texts)
    {
        string[] all = [.. texts];
        var array = (byte**)NativeMemory.Alloc((nuint)Math.Max(all.Length, 1), (nuint)sizeof(byte*));
        _allocations.Add((nint)array);
        for (int i = 0; i < all.Length; i++)
        {
            array[i] = Add(all[i]);
        }

        return array;
    }

    public void Dispose()
    {
        foreach (nint allocation in _allocations)
        {
            NativeMemory.Free((void*)allocation);
        }

        _allocations.Clear();
    }
}

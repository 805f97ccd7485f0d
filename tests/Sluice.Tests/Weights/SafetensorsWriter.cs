using System.Buffers.Binary;
using System.Text;

namespace Sluice.Tests.Weights;

/// <summary>Makes safetensors files for tests, good ones and bad ones.</summary>
internal static class SafetensorsWriter
{
    /// <summary>A file of a header as given and as many bytes of data.</summary>
    public static byte[] File(string header, int dataBytes)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        byte[] file = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(file, (ulong)json.Length);
        json.CopyTo(file, 8);
        for (int i = 0; i < dataBytes; i++)
        {
            file[8 + json.Length + i] = (byte)i;
        }

        return file;
    }

    /// <summary>A file with one tensor.</summary>
    public static byte[] File(string name, string type, string shape, int dataBytes) =>
        File($$$"""{"{{{name}}}":{"dtype":"{{{type}}}","shape":{{{shape}}},"data_offsets":[0,{{{dataBytes}}}]}}""", dataBytes);
}

namespace Sluice.Text.Tokenization;

/// <summary>
/// GPT-2's table between bytes and printable characters: printable Latin-1 bytes stand for themselves, the other 68 are
/// U+0100 onwards in order of the byte.
/// </summary>
internal static class ByteLevelAlphabet
{
    private const int Limit = 0x100 + 68;
    private static readonly char[] Characters = BuildCharacters();
    private static readonly short[] Bytes = BuildBytes();

    public static char ToCharacter(byte value) => Characters[value];

    /// <summary>The byte that a character stands for; -1 if it is not of the alphabet.</summary>
    public static int ToByte(int codePoint) => (uint)codePoint < Limit ? Bytes[codePoint] : -1;

    private static char[] BuildCharacters()
    {
        var characters = new char[256];
        char next = (char)0x100;
        for (int value = 0; value < 256; value++)
        {
            bool printable = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE;
            characters[value] = printable ? (char)value : next++;
        }

        return characters;
    }

    private static short[] BuildBytes()
    {
        var bytes = new short[Limit];
        Array.Fill(bytes, (short)-1);
        for (int value = 0; value < 256; value++)
        {
            bytes[Characters[value]] = (short)value;
        }

        return bytes;
    }
}

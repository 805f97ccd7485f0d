using Sluice.Text.Patterns;
using Sluice.Text.Unicode;

namespace Sluice.Text.Tokenization.Normalizers;

/// <summary>
/// The Unicode normalization forms (Unicode Standard Annex 15). The text is cut before every code point that nothing can
/// reorder or swallow; only parts that change are worked on, the rest is copied.
/// </summary>
internal sealed class UnicodeNormalizer(bool compatibility, bool composes) : Normalizer
{
    // No form changes anything below, and composition takes nothing below as its second part.
    private const char FirstInteresting = '\u00A0';
    private const char FirstInterestingForNfc = '\u0300';

    private readonly byte[] _roles = new byte[0x10000];

    /// <summary>What a code point does.</summary>
    private enum Role : byte
    {
        Unknown,

        /// <summary>Stays as it is, and nothing before it can reach it.</summary>
        Inert,

        /// <summary>Changes, but nothing before it takes part in that.</summary>
        Starts,

        /// <summary>Moves, or may be swallowed by what is before it.</summary>
        Joins,
    }

    public override void Apply(NormalizedText text)
    {
        char limit = composes && !compatibility ? FirstInterestingForNfc : FirstInteresting;
        if (text.Text.IndexOfAnyExceptInRange('\0', (char)(limit - 1)) < 0)
        {
            return;
        }

        NormalizationTables tables = NormalizationTables.Instance;
        var work = new List<int>();
        bool started = false;
        int copied = 0;
        int position = 0;
        while (position < text.Text.Length)
        {
            // A part: one code point of any kind, and all that join it.
            int partStart = position;
            int codePoint = CodePoints.At(text.Text, position, out int unitCount);
            bool active = codePoint >= limit && RoleOf(codePoint, tables) != Role.Inert;
            position += unitCount;
            while (position < text.Text.Length)
            {
                codePoint = CodePoints.At(text.Text, position, out unitCount);
                if (codePoint < limit || RoleOf(codePoint, tables) != Role.Joins)
                {
                    break;
                }

                active = true;
                position += unitCount;
            }

            if (!active)
            {
                continue;
            }

            if (!started)
            {
                text.Begin();
                started = true;
            }

            text.Copy(copied, partStart);
            NormalizePart(text.Text[partStart..position], tables, work);
            foreach (int result in work)
            {
                text.EmitCodePoint(result, partStart);
            }

            copied = position;
        }

        if (started)
        {
            text.Copy(copied, text.Text.Length);
            text.Commit();
        }
    }

    private Role RoleOf(int codePoint, NormalizationTables tables)
    {
        if (codePoint > 0xFFFF)
        {
            return ComputeRole(codePoint, tables);
        }

        // Racing threads compute the same answer.
        var role = (Role)_roles[codePoint];
        if (role == Role.Unknown)
        {
            role = ComputeRole(codePoint, tables);
            _roles[codePoint] = (byte)role;
        }

        return role;
    }

    private Role ComputeRole(int codePoint, NormalizationTables tables)
    {
        var result = new List<int>(4);
        tables.Decompose(codePoint, compatibility, result);
        if (tables.CombiningClass(result[0]) != 0 || (composes && tables.CanBeSecond(result[0])))
        {
            return Role.Joins;
        }

        Finish(result, tables);
        return result.Count == 1 && result[0] == codePoint ? Role.Inert : Role.Starts;
    }

    private void NormalizePart(ReadOnlySpan<char> part, NormalizationTables tables, List<int> work)
    {
        work.Clear();
        int unitCount;
        for (int position = 0; position < part.Length; position += unitCount)
        {
            tables.Decompose(CodePoints.At(part, position, out unitCount), compatibility, work);
        }

        Finish(work, tables);
    }

    private void Finish(List<int> work, NormalizationTables tables)
    {
        Reorder(work, tables);
        if (composes)
        {
            Compose(work, tables);
        }
    }

    /// <summary>Sorts each run of combining marks by class, keeping the order within a class.</summary>
    private static void Reorder(List<int> work, NormalizationTables tables)
    {
        int start = 0;
        while (start < work.Count)
        {
            if (tables.CombiningClass(work[start]) == 0)
            {
                start++;
                continue;
            }

            int end = start + 1;
            while (end < work.Count && tables.CombiningClass(work[end]) != 0)
            {
                end++;
            }

            if (end - start > 1)
            {
                int[] marks = work.GetRange(start, end - start).ToArray();
                var keys = new long[marks.Length];
                for (int i = 0; i < keys.Length; i++)
                {
                    keys[i] = ((long)tables.CombiningClass(marks[i]) << 32) | (uint)i;
                }

                Array.Sort(keys, marks);
                for (int i = 0; i < marks.Length; i++)
                {
                    work[start + i] = marks[i];
                }
            }

            start = end;
        }
    }

    private static void Compose(List<int> work, NormalizationTables tables)
    {
        int starter = -1;
        int lastClass = -1;
        int written = 0;
        for (int i = 0; i < work.Count; i++)
        {
            int codePoint = work[i];
            int combiningClass = tables.CombiningClass(codePoint);
            bool blocked = lastClass >= combiningClass && lastClass != -1;
            int composed = starter >= 0 && !blocked ? tables.Compose(work[starter], codePoint) : -1;
            if (composed >= 0)
            {
                work[starter] = composed;
                continue;
            }

            if (combiningClass == 0)
            {
                starter = written;
                lastClass = -1;
            }
            else
            {
                lastClass = combiningClass;
            }

            work[written++] = codePoint;
        }

        work.RemoveRange(written, work.Count - written);
    }
}

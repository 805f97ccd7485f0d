namespace Sluice.Text.Patterns;

/// <summary>
/// A set of code points: ranges, general categories and other sets, perhaps negated, intersected or widened to both cases.
/// Built first (<c>Add…</c>), then only asked. Answers are kept in bitmaps of 256 code points that are filled when
/// first asked for, so that a loaded tokenizer pays for the scripts it meets and not for all of Unicode.
/// </summary>
internal sealed class CodePointSet
{
    private const int PageBits = 8;
    private const int WordsPerPage = 4;

    private readonly List<(int First, int Last)> _ranges = [];
    private readonly List<CodePointSet> _unions = [];
    private readonly List<CodePointSet> _intersections = [];
    private ulong[]?[] _pages = [];
    private uint _categories;
    private bool _words;

    public bool Negated { get; set; }

    public bool IgnoreCase { get; set; }

    public static CodePointSet Of(int codePoint, bool ignoreCase = false)
    {
        var set = new CodePointSet { IgnoreCase = ignoreCase };
        set.AddRange(codePoint, codePoint);
        return set;
    }

    public void AddRange(int first, int last) => _ranges.Add((first, last));

    public void AddCategories(uint categories) => _categories |= categories;

    public void AddWords() => _words = true;

    public void Add(CodePointSet other) => _unions.Add(other);

    public void IntersectWith(CodePointSet other) => _intersections.Add(other);

    public void AddWhiteSpace()
    {
        AddRange(0x09, 0x0D);
        AddRange(0x20, 0x20);
        AddRange(0x85, 0x85);
        AddRange(0xA0, 0xA0);
        AddRange(0x1680, 0x1680);
        AddRange(0x2000, 0x200A);
        AddRange(0x2028, 0x2029);
        AddRange(0x202F, 0x202F);
        AddRange(0x205F, 0x205F);
        AddRange(0x3000, 0x3000);
    }

    /// <summary>The one code point that is in the set and needs no case rules; -1 when there are others.</summary>
    public int SingleCodePoint =>
        _ranges.Count == 1 && _ranges[0].First == _ranges[0].Last && _categories == 0 && !_words && !Negated
        && _unions.Count == 0 && _intersections.Count == 0
        && (!IgnoreCase || !CodePoints.IsInCategories(_ranges[0].First, CodePoints.Letters))
            ? _ranges[0].First
            : -1;

    public bool Contains(int codePoint)
    {
        ulong[]?[] pages = _pages;
        int pageIndex = codePoint >> PageBits;
        ulong[]? page = pageIndex < pages.Length ? pages[pageIndex] : null;
        page ??= FillPage(pageIndex);
        return (page[(codePoint >> 6) & (WordsPerPage - 1)] >> (codePoint & 63) & 1) != 0;
    }

    private ulong[] FillPage(int pageIndex)
    {
        ulong[]?[] pages = _pages;
        if (pageIndex >= pages.Length)
        {
            // Most text stays in the basic plane, and most sets never see even that.
            Array.Resize(ref pages, pageIndex < 256 ? 256 : (CodePoints.Maximum >> PageBits) + 1);
            _pages = pages;
        }

        var page = new ulong[WordsPerPage];
        int start = pageIndex << PageBits;
        for (int offset = 0; offset < 1 << PageBits; offset++)
        {
            if (Evaluate(start + offset))
            {
                page[offset >> 6] |= 1ul << (offset & 63);
            }
        }

        // Two threads may fill the same page, or one may lose its page to the other's resize: the bits are computed again.
        pages[pageIndex] = page;
        return page;
    }

    private bool Evaluate(int codePoint)
    {
        bool contained = EvaluateUnion(codePoint);
        if (!contained && IgnoreCase)
        {
            int upper = CodePoints.ToUpper(codePoint);
            contained = EvaluateUnion(CodePoints.ToLower(codePoint)) || EvaluateUnion(upper)
                || EvaluateUnion(CodePoints.ToLower(upper));
        }

        foreach (CodePointSet other in _intersections)
        {
            contained &= other.Evaluate(codePoint);
        }

        return contained != Negated;
    }

    private bool EvaluateUnion(int codePoint)
    {
        if (_categories != 0 && CodePoints.IsInCategories(codePoint, _categories))
        {
            return true;
        }

        foreach ((int first, int last) in _ranges)
        {
            if (codePoint >= first && codePoint <= last)
            {
                return true;
            }
        }

        if (_words && CodePoints.IsWord(codePoint))
        {
            return true;
        }

        foreach (CodePointSet other in _unions)
        {
            if (other.Evaluate(codePoint))
            {
                return true;
            }
        }

        return false;
    }
}

namespace Sluice.Text.Jinja;

/// <summary>Merge sort: stable as Python's sort is, and an error of the comparison comes out as it is.</summary>
internal static class StableSort
{
    public static List<T> Sort<T>(List<T> items, Comparison<T> compare)
    {
        T[] source = [.. items];
        T[] target = new T[source.Length];
        for (int width = 1; width < source.Length; width *= 2)
        {
            for (int start = 0; start < source.Length; start += 2 * width)
            {
                int middle = Math.Min(start + width, source.Length);
                int end = Math.Min(start + (2 * width), source.Length);
                Merge(source, target, start, middle, end, compare);
            }

            (source, target) = (target, source);
        }

        return [.. source];
    }

    private static void Merge<T>(T[] source, T[] target, int start, int middle, int end, Comparison<T> compare)
    {
        int left = start;
        int right = middle;
        for (int i = start; i < end; i++)
        {
            bool takeLeft = left < middle && (right >= end || compare(source[right], source[left]) >= 0);
            target[i] = takeLeft ? source[left++] : source[right++];
        }
    }
}

using System.Diagnostics;
using System.Text.Json;
using Sluice.Text;
using Sluice.Text.Jinja;

namespace Sluice.Tests.Text.Jinja;

/// <summary>Templates that are out to do harm end in an error, soon and without taking the process along.</summary>
public class SandboxTests
{
    /// <summary>The budget stops every bomb within 500 ms on an idle core; tests share theirs.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    [Theory]
    [InlineData("{% for a in range(100000) %}{% for b in range(100000) %}{% for c in range(100000) %}x{% endfor %}{% endfor %}{% endfor %}")]
    [InlineData("{{ 'a' * 10**9 }}")]
    [InlineData("{{ 'a' * 10**18 }}")]
    [InlineData("{{ 'abcdefgh' * 10**7 }}")]
    [InlineData("{{ [0] * 10**9 }}")]
    [InlineData("{{ ([0] * 1000) * 10**9 }}")]
    [InlineData("{{ range(10**12) }}")]
    [InlineData("{{ range(0, 0 - 10**12, -1)|list }}")]
    [InlineData("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}")]
    [InlineData("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}")]
    [InlineData("{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}")]
    [InlineData("{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{{ m(n-1) }}{% endif %}x{% endmacro %}{{ m(150) }}")]
    [InlineData("{% set ns = namespace(s='ab') %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}")]
    [InlineData("{% set ns = namespace(s='ab') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s|length }}")]
    [InlineData("{% set ns = namespace(l=[1]) %}{% for i in range(100) %}{% set ns.l = ns.l + ns.l %}{% endfor %}")]
    [InlineData("{% set ns = namespace(s='aa') %}{% for i in range(100) %}{% set ns.s = ns.s.replace('a', 'aaaaaaaa') %}{% endfor %}")]
    [InlineData("{% set ns = namespace(s='a') %}{% for i in range(100000) %}{% set ns.s = ns.s + 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' %}{% if 'b' in ns.s %}{% endif %}{% endfor %}")]
    [InlineData("{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}")]
    [InlineData("{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l|tojson }}")]
    [InlineData("{% set ns = namespace(l=[], m=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% set ns.m = [ns.m] %}{% endfor %}{{ ns.l == ns.m }}")]
    [InlineData("{% set ns = namespace(l=(), m=()) %}{% for i in range(100000) %}{% set ns.l = (ns.l,) %}{% set ns.m = (ns.m,) %}{% endfor %}{{ ns.l < ns.m }}")]
    [InlineData("{% set ns = namespace(l=()) %}{% for i in range(100000) %}{% set ns.l = (ns.l,) %}{% endfor %}{{ {ns.l: 1} }}")]
    [InlineData("{% set ns = namespace(l=[]) %}{% for i in range(40) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}")]
    [InlineData("{% set ns = namespace(l=[]) %}{% for i in range(40) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l|tojson|length }}")]
    [InlineData("{{ '%1000000000d' % 5 }}")]
    [InlineData("{{ '%.1000000000f' % 5 }}")]
    [InlineData("{{ '%99999999999d' % 5 }}")]
    [InlineData("{{ '{:1000000000}'.format(5) }}")]
    [InlineData("{{ '{:.1000000000f}'.format(5.0) }}")]
    [InlineData("{{ 'a'.ljust(10**10) }}")]
    [InlineData("{{ 'a'|center(10**10) }}")]
    [InlineData("{{ '1'.zfill(10**10) }}")]
    [InlineData("{{ 'a\nb'|indent(10**10) }}")]
    [InlineData("{{ [1]|tojson(indent=10**10) }}")]
    [InlineData("{{ [1]|batch(10**10, 'x')|list }}")]
    [InlineData("{{ [1]|slice(10**10)|list }}")]
    [InlineData("{{ 2**10**9 }}")]
    [InlineData("{{ 10**100 }}")]
    [InlineData("{{ 9223372036854775807 + 1 }}")]
    [InlineData("{{ -9223372036854775807 - 2 }}")]
    [InlineData("{{ (-9223372036854775807 - 1) // -1 }}")]
    [InlineData("{{ 9223372036854775808 }}")]
    [InlineData("{% set s = 'a' * 10**6 %}{% for i in range(100000) %}{{ s|upper|length }}{% endfor %}")]
    [InlineData("{% set s = 'a' * 10**6 %}{% for i in range(100000) %}{% if s[5] %}{% endif %}{% endfor %}")]
    [InlineData("{% set s = 'a' * 10**6 %}{% for i in range(100000) %}{% if s == s ~ '' %}{% endif %}{% endfor %}")]
    [InlineData("{% set s = 'a' * 10**6 %}{% for i in range(100000) %}{% if s.count('b') %}{% endif %}{% endfor %}")]
    [InlineData("{% set s = ' ' * 10**6 %}{% for i in range(100000) %}{% if s|trim %}{% endif %}{% endfor %}")]
    [InlineData("{% set s = 'a' * 10**6 %}{% for i in range(100000) %}{% if s.startswith(s) %}{% endif %}{% endfor %}")]
    [InlineData("{% set s = 'ab' * 10**5 %}{% for i in range(100000) %}{% set x = s.split('b') %}{% endfor %}")]
    [InlineData("{% set s = 'ab ' * 10**5 %}{% for i in range(100000) %}{{ s|wordcount }}{% endfor %}")]
    [InlineData("{% set l = range(100000)|list %}{% for i in l %}{% if l == l[:] %}{% endif %}{% endfor %}")]
    [InlineData("{% set l = range(100000)|list %}{% for i in l %}{% set x = l|sort %}{% endfor %}")]
    [InlineData("{% set d = dict() %}{% for i in range(1000) %}{% for j in range(1000) %}{% set d = dict(d, **{'a' ~ i ~ j: 1}) %}{% endfor %}{% endfor %}")]
    [InlineData("{% set s = 'a' * 10**6 %}{% set d = {s: 1} %}{% for i in range(100000) %}{% if d[s] and s in d and d.get(s) %}{% endif %}{% endfor %}")]
    [InlineData("{% set s = 'a' * 10**6 %}{% for i in range(100000) %}{% set d = {s: 1} %}{% endfor %}")]
    [InlineData("{% set s = 'a' * 10**6 %}{% for i in range(100000) %}{% if [1][s] or [1]|map(attribute=s)|list or s is filter %}{% endif %}{% endfor %}")]
    [InlineData("{% set t = (1,) * 100000 %}{% set d = {t: 1} %}{% for i in range(100000) %}{% if d[t] %}{% endif %}{% endfor %}")]
    [InlineData("{% set s = '%(a).0s' * 10**6 %}{{ s % {'a': 1} }}{{ s % {'a': 1} }}")]
    [InlineData("{% set s = '{0:.0}' * 10**6 %}{{ s.format('a') }}{{ s.format('a') }}")]
    [InlineData("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}")]
    [InlineData("{% macro m() %}{{ caller() }}{% endmacro %}{% macro r() %}{% call m() %}{{ r() }}{% endcall %}{% endmacro %}{{ r() }}")]
    [InlineData("{{ strftime_now('%c' * 10**7) }}")]
    [InlineData("{{ ('a' * 10**6)|list|tojson|length }}{{ ('a' * 10**6)|list|length }}{{ ('a' * 10**6)|list|length }}")]
    [InlineData("{% set ns = namespace(f='x') %}{% for i in range(30) %}{% set ns.f = [ns.f]|map('string')|join ~ ns.f %}{% endfor %}{{ ns.f }}")]
    public void Render_Bomb_EndsInAnErrorSoon(string template)
    {
        Stopwatch clock = Stopwatch.StartNew();
        JinjaRunner.Error(template);
        Assert.True(clock.Elapsed < Limit, $"{clock.Elapsed}");
    }

    [Theory]
    [InlineData("(", ")")]
    [InlineData("[", "]")]
    [InlineData("{1:", "}")]
    [InlineData("-", "")]
    [InlineData("a(", ")")]
    [InlineData("a[", "]")]
    [InlineData("1 if 1 else ", "")]
    [InlineData("1|default(", ")")]
    public void Parse_DeepExpression_EndsInAnError(string open, string close)
    {
        string source = "{{ " + string.Concat(Enumerable.Repeat(open, 50_000)) + "1" + string.Concat(Enumerable.Repeat(close, 50_000)) + " }}";
        Assert.Contains("levels", JinjaRunner.Error(source), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(".a")]
    [InlineData("[0]")]
    [InlineData("()")]
    [InlineData("|upper")]
    [InlineData(" is defined")]
    public void Parse_LongPostfixChain_EndsInAnError(string link)
    {
        Assert.Contains("levels", JinjaRunner.Error("{{ a" + string.Concat(Enumerable.Repeat(link, 50_000)) + " }}"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{% if 1 %}", "{% endif %}")]
    [InlineData("{% for a in [1] %}", "{% endfor %}")]
    [InlineData("{% macro a() %}", "{% endmacro %}")]
    [InlineData("{% filter upper %}", "{% endfilter %}")]
    public void Parse_DeepBlocks_EndsInAnError(string open, string close)
    {
        string source = string.Concat(Enumerable.Repeat(open, 50_000)) + string.Concat(Enumerable.Repeat(close, 50_000));
        Assert.Contains("levels", JinjaRunner.Error(source), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(" + 1", "50001")]
    [InlineData(" ~ ''", "1")]
    [InlineData(" and 1", "1")]
    [InlineData(" == 1", "True")]
    public void Render_LongOperatorChain_NeedsNoStack(string link, string expected)
    {
        Assert.Equal(expected, JinjaRunner.Render("{{ 1" + string.Concat(Enumerable.Repeat(link, 50_000)) + " }}"));
    }

    [Theory]
    [InlineData("{{ ''.__class__.__mro__ }}")]
    [InlineData("{{ [].__class__.__base__.__subclasses__() }}")]
    [InlineData("{{ self }}")]
    [InlineData("{{ self._TemplateReference__context }}")]
    [InlineData("{{ range.__globals__['os'] }}")]
    [InlineData("{{ cycler.__init__.__globals__.os.popen('id').read() }}")]
    [InlineData("{{ ''|attr('__class__')|attr('__mro__') }}")]
    [InlineData("{{ '{0.__class__.__mro__}'.format('') }}")]
    [InlineData("{{ lipsum() }}")]
    [InlineData("{{ messages.GetType() }}")]
    [InlineData("{{ 'a'.Length + 1 }}")]
    [InlineData("{% import 'os' as os %}")]
    [InlineData("{% include '/etc/passwd' %}")]
    [InlineData("{% extends 'base' %}")]
    [InlineData("{% from 'x' import y %}")]
    [InlineData("{% set x.__class__ = 1 %}")]
    [InlineData("{% do 1 %}")]
    public void Render_ReachForTheProgram_IsAnError(string template)
    {
        JinjaRunner.Error(template);
    }

    [Fact]
    public void Render_LongContentThroughTheDeepSeekWay_StaysWithinTheBudget()
    {
        // 20 messages of 1 MB, wrapped, trimmed and accumulated: ropes and slices copy each of them once.
        string content = new('x', 500_000);
        using JsonDocument messages = JsonDocument.Parse(JsonSerializer.Serialize(Enumerable.Range(0, 20).Select(_ => content)));
        JsonElement variables = JsonDocument.Parse("{\"m\":" + messages.RootElement.GetRawText() + "}").RootElement;
        string text = JinjaRunner.Render(
            "{% set ns = namespace(s='') %}{% for c in m %}{% set ns.s = ns.s + '<u>' + c|trim + '</u>' + '\\n' %}{% endfor %}{{ ns.s }}", variables);
        Assert.Equal(20 * (500_000 + 8), text.Length);
        Assert.True(RenderBudget.MaxCharacters > 3 * text.Length);
    }
}

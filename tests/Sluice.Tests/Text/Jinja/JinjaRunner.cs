using System.Text.Json;
using Sluice.Text;
using Sluice.Text.Jinja;

namespace Sluice.Tests.Text.Jinja;

/// <summary>Runs a template with plain variables, without a conversation.</summary>
internal static class JinjaRunner
{
    public static string Render(string template, JsonElement? variables = null)
    {
        return RenderTracked(template, variables).ToString();
    }

    public static TrackedString RenderTracked(string template, JsonElement? variables = null)
    {
        List<Statement> statements = TemplateParser.Parse(template);
        RenderContext context = new(ChatVectors.Now);
        Scope scope = new(context, null);
        Globals.AddTo(scope);
        if (variables is JsonElement all)
        {
            foreach (JsonProperty variable in all.EnumerateObject())
            {
                scope.Set(variable.Name, JsonValues.Convert(variable.Value, variable.Name));
            }
        }

        TextBuilder output = new(context.Budget);
        Statement.ExecuteAll(statements, scope.Child(), output);
        return output.ToTracked();
    }

    public static string Error(string template, JsonElement? variables = null)
    {
        return Assert.Throws<ChatTemplateException>(() => Render(template, variables)).Message;
    }
}

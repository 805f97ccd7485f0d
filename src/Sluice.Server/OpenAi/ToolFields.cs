using System.Text.Json;
using Sluice.Requests;

namespace Sluice.Server.OpenAi;

/// <summary>
/// Tools go into the prompt through the template. Finding calls in the answer is not there yet, so a request that needs it is refused, as
/// vLLM does where no parser is set up.
/// </summary>
internal static class ToolFields
{
    /// <returns>True when the prompt gets the tools.</returns>
    public static bool Read(Fields fields, ServerOptions options)
    {
        _ = fields.Boolean(Limits.ParallelToolCalls);
        JsonElement? tools = fields.List(Limits.Tools);
        if (tools is { } list)
        {
            CheckTools(fields, list);
        }

        if (!fields.TryGet("tool_choice", out JsonElement choice))
        {
            return tools is null ? false : throw AutoRefused();
        }

        string kind = choice.ValueKind == JsonValueKind.Object ? "named" : fields.Text(choice, "tool_choice");
        if (kind == "none")
        {
            return tools is not null && !options.ExcludeToolsWhenToolChoiceNone;
        }

        if (tools is null)
        {
            throw new RequestValidationException("When using `tool_choice`, `tools` must be set.", "tool_choice");
        }

        throw kind switch
        {
            "auto" => AutoRefused(),
            "required" or "named" => new RequestValidationException(
                $"tool_choice {Quote.Json(choice)} requires --tool-call-parser to be set, which is not supported yet", "tool_choice"),
            _ => fields.Wrong("tool_choice", $"must be none, auto, required or a named function, got {Quote.Json(choice)}"),
        };
    }

    private static void CheckTools(Fields fields, JsonElement tools)
    {
        if (tools.GetArrayLength() == 0)
        {
            throw new RequestValidationException(
                "`tools` must not be an empty array. Either provide at least one tool or omit the field entirely.", "tools");
        }

        int index = 0;
        foreach (JsonElement tool in tools.EnumerateArray())
        {
            string path = $"tools[{index++}]";
            if (tool.ValueKind != JsonValueKind.Object)
            {
                throw fields.WrongType(path, "an object", tool);
            }

            Fields inner = new(tool, path);
            if (!inner.TryGet("function", out JsonElement function) || function.ValueKind != JsonValueKind.Object)
            {
                throw inner.Wrong("function", "is required and must be an object");
            }

            Fields definition = new(function, $"{path}.function");
            if (!definition.TryGet("name", out JsonElement name))
            {
                throw definition.Wrong("name", "is required");
            }

            _ = definition.Text(name, "name");
        }
    }

    private static RequestValidationException AutoRefused() => new(
        "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set, which are not supported yet; "
        + "send tool_choice \"none\" to only show the tools to the model",
        "tool_choice");
}

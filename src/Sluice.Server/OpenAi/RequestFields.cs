using System.Globalization;
using Microsoft.AspNetCore.Http;
using Sluice.Requests;
using Sluice.Server.Http;

namespace Sluice.Server.OpenAi;

/// <summary>What every generating request says about itself.</summary>
/// <param name="Id">The client's name for it, or a new one.</param>
/// <param name="Priority">Lower runs first.</param>
/// <param name="CacheSalt">Whom cached prefixes are shared with.</param>
internal sealed record RequestFields(string Id, int Priority, string? CacheSalt)
{
    /// <exception cref="RequestValidationException">Another model is asked for (404), or a field is wrong.</exception>
    public static RequestFields Read(Fields fields, ServerState state, HttpRequest http)
    {
        CheckModel(fields, state);
        _ = fields.Text(Limits.User);
        string? id = fields.Text(Limits.RequestId);
        if (id is not null && !RequestIds.IsPlain(id))
        {
            throw fields.Wrong("request_id", $"must be 1 to 128 letters, digits or -_.:/+=@, got {Quote.Text(id)}");
        }

        return new RequestFields(
            RequestIds.FromHeader(http) ?? id ?? RequestIds.New(), ReadPriority(fields, state, http), fields.Text(Limits.CacheSalt));
    }

    private static int ReadPriority(Fields fields, ServerState state, HttpRequest http)
    {
        int priority = fields.Int32(Limits.Priority) ?? 0;
        if (http.Headers["X-Vllm-Priority"] is { Count: > 0 } header
            && !int.TryParse(header.ToString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out priority))
        {
            throw new RequestValidationException($"X-Vllm-Priority must be an integer, got {Quote.Text(header.ToString())}", "priority");
        }

        return priority == 0 || state.Engine.Options.SchedulingPolicy == SchedulingPolicy.Priority
            ? priority
            : throw new RequestValidationException(
                $"Got priority {priority} but Priority scheduling is not enabled (--scheduling-policy priority).", "priority");
    }

    /// <summary>No model means the one there is, as in vLLM.</summary>
    public static void CheckModel(Fields fields, ServerState state)
    {
        if (fields.Text(Limits.Model) is { } model && !state.ModelNames.Contains(model))
        {
            throw new RequestValidationException($"The model `{Quote.Plain(model, Quote.MaxLength)}` does not exist.", "model", 404);
        }
    }
}

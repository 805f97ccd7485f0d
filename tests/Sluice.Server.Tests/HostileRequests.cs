using System.Text;

namespace Sluice.Server.Tests;

/// <summary>Requests that must be refused with an exact answer; rows of a table, so that one more costs a line.</summary>
internal static class HostileRequests
{
    private const string Text = "/v1/completions";
    private const string Chat = "/v1/chat/completions";
    private const string Bad = "BadRequestError";

    public static IReadOnlyList<HostileRow> All { get; } =
    [
        // The body as JSON.
        new("empty body", Text, "", 400, Bad, null, "The body is empty"),
        new("spaces", Text, " \r\n\t ", 400, Bad, null, "The body is empty"),
        new("null", Text, "null", 400, Bad, null, "must be a JSON object, got null"),
        new("list", Text, "[]", 400, Bad, null, "must be a JSON object, got an array"),
        new("string", Text, "\"x\"", 400, Bad, null, "must be a JSON object, got a string"),
        new("cut off", Text, """{"prompt":"a""", 400, Bad, null, "not valid JSON (line 1"),
        new("duplicate key", Text, """{"prompt":"a","prompt":"b"}""", 400, Bad, null, "not valid JSON"),
        new("duplicate key inside", Chat, """{"messages":[{"role":"user","role":"user","content":"a"}]}""", 400, Bad, null, "not valid JSON"),
        new("trailing garbage", Text, """{"prompt":"a"} x""", 400, Bad, null, "not valid JSON"),
        new("two documents", Text, """{"prompt":"a"}{}""", 400, Bad, null, "not valid JSON"),
        new("trailing comma", Text, """{"prompt":"a",}""", 400, Bad, null, "not valid JSON"),
        new("comment", Text, """{"prompt":"a"/* x */}""", 400, Bad, null, "not valid JSON"),
        new("bare NaN", Text, """{"prompt":"a","temperature":NaN}""", 400, Bad, null, "not valid JSON"),
        new("65 levels", Text, $$"""{"prompt":"a","x":{{Nested(65)}}}""", 400, Bad, null, "not valid JSON"),
        new("100,000 levels", Text, $$"""{"prompt":"a","x":{{Nested(100_000)}}}""", 400, Bad, null, "not valid JSON"),
        new("half a surrogate pair", Text, """{"prompt":"\ud83d"}""", 400, Bad, "prompt", "not valid Unicode"),
        new("half a surrogate pair in a name", Text, """{"prompt":"a","\ud83d":1}""", 400, Bad, null, "not valid Unicode"),
        new("half a surrogate pair in a chat", Chat, """{"messages":[{"role":"user","content":"\ud83d"}]}""", 400, Bad, "messages[0].content", "Unicode"),

        // Which model.
        new("unknown model", Text, """{"model":"nobody","prompt":"a"}""", 404, "NotFoundError", "model", "The model `nobody` does not exist."),
        new("path as model", Chat, """{"model":"../../etc/passwd","messages":[]}""", 404, "NotFoundError", "model", "does not exist."),
        new("long model", Text, $$"""{"model":"{{new string('m', 1 << 20)}}","prompt":"a"}""", 404, "NotFoundError", "model", "mmm..."),
        new("model is a number", Text, """{"model":7,"prompt":"a"}""", 400, Bad, "model", "model must be a string, got 7"),
        new("unknown model for tokenize", "/tokenize", """{"model":"x","prompt":"a"}""", 404, "NotFoundError", "model", "does not exist."),

        // Prompts.
        new("no prompt", Text, "{}", 400, Bad, "prompt", "Either prompt or prompt_embeds must be provided and non-empty."),
        new("empty prompt", Text, """{"prompt":""}""", 400, Bad, "prompt", "must be provided and non-empty."),
        new("empty list", Text, """{"prompt":[]}""", 400, Bad, "prompt", "must be provided and non-empty."),
        new("empty list of ids", Text, """{"prompt":[[]]}""", 400, Bad, "prompt", "must be provided and non-empty."),
        new("empty prompt among others", Text, """{"prompt":["a",""]}""", 400, Bad, "prompt[1]", "must be provided and non-empty."),
        new("prompt is a number", Text, """{"prompt":5}""", 400, Bad, "prompt", "must be a string, a list of strings"),
        new("mixed prompts", Text, """{"prompt":["a",[1]]}""", 400, Bad, "prompt[1]", "must be a string, got [1]"),
        new("id beyond the vocabulary", Text, """{"prompt":[4096]}""", 400, Bad, "prompt[0]", "Token id 4096 is out of vocabulary"),
        new("negative id", Text, """{"prompt":[5,-1]}""", 400, Bad, "prompt[1]", "Token id -1 is out of vocabulary"),
        new("id of 64 bits", Text, """{"prompt":[99999999999]}""", 400, Bad, "prompt[0]", "Token id 99999999999 is out of vocabulary"),
        new("id is 1.5", Text, """{"prompt":[1.5]}""", 400, Bad, "prompt[0]", "must be a token id"),
        new("id is a string", Text, """{"prompt":[1,"2"]}""", 400, Bad, "prompt[1]", "must be a token id, got \"2\""),
        new("too many prompts", Text, $$"""{"prompt":[{{Repeat("\"a\"", 1025)}}]}""", 400, Bad, "prompt", "at most 1024 prompts, got 1025"),
        new(
            "prompt and answer too long", Text, $$"""{"prompt":[{{Repeat("5", 500)}}],"max_tokens":20}""", 400, Bad, "input_tokens",
            "This model's maximum context length is 512 tokens. However, you requested 20 output tokens and your prompt contains 500 input "
            + "tokens, for a total of 520 tokens. Please reduce the length of the input prompt or the number of requested output tokens. "
            + "(parameter=input_tokens, value=500)"),
        new(
            "hopeless prompt", Text, $$"""{"prompt":"{{new string('a', 1 << 20)}}"}""", 400, Bad, "input_tokens",
            "This model's maximum context length is 512 tokens. However, you requested 16 output tokens and your prompt contains at least "),
        new(
            "chat too long", Chat, $$"""{"messages":[{"role":"user","content":"{{Repeat("word ", 600, "")}}"}]}""", 400, Bad, "input_tokens",
            "This model's maximum context length is 512 tokens. However, you requested 0 output tokens"),
        new(
            "max_tokens beyond the context", Text, """{"prompt":"a","max_tokens":513}""", 400, Bad, "max_tokens",
            "max_tokens=513 cannot be greater than max_model_len=max_total_tokens=512. Please request fewer output tokens."),

        // Numbers.
        new("temperature too high", Text, Field("\"temperature\":2.1"), 400, Bad, "temperature", "temperature must be in [0, 2], got 2.1"),
        new("temperature negative", Text, Field("\"temperature\":-0.1"), 400, Bad, "temperature", "temperature must be non-negative, got -0.1"),
        new("temperature 1e400", Text, Field("\"temperature\":1e400"), 400, Bad, "temperature", "must be a finite number, got 1e400"),
        new("temperature -1e400", Text, Field("\"temperature\":-1e400"), 400, Bad, "temperature", "must be a finite number"),
        new("temperature as text", Text, Field("\"temperature\":\"NaN\""), 400, Bad, "temperature", "must be a number, got \"NaN\""),
        new("temperature true", Text, Field("\"temperature\":true"), 400, Bad, "temperature", "must be a number, got true"),
        new("a million digits", Text, Field($"\"temperature\":{new string('9', 1_000_000)}"), 400, Bad, "temperature", "must be a finite number"),
        new("top_p 0", Text, Field("\"top_p\":0"), 400, Bad, "top_p", "top_p must be in (0, 1], got 0.0"),
        new("top_p 1.01", Text, Field("\"top_p\":1.01"), 400, Bad, "top_p", "top_p must be in (0, 1]"),
        new("top_k -2", Text, Field("\"top_k\":-2"), 400, Bad, "top_k", "top_k must be 0 (disable), or at least 1, got -2."),
        new("top_k as text", Text, Field("\"top_k\":\"3\""), 400, Bad, "top_k", "must be an integer, got \"3\""),
        new("top_k 2.5", Text, Field("\"top_k\":2.5"), 400, Bad, "top_k", "must be an integer"),
        new("top_k 2^40", Text, Field("\"top_k\":1099511627776"), 400, Bad, "top_k", "must be in [-2147483648, 2147483647]"),
        new("min_p 1.5", Text, Field("\"min_p\":1.5"), 400, Bad, "min_p", "min_p must be in [0, 1], got 1.5."),
        new("presence_penalty 3", Text, Field("\"presence_penalty\":3"), 400, Bad, "presence_penalty", "must be in [-2, 2], got 3.0."),
        new("frequency_penalty -3", Text, Field("\"frequency_penalty\":-3"), 400, Bad, "frequency_penalty", "must be in [-2, 2], got -3.0."),
        new("repetition_penalty 0", Text, Field("\"repetition_penalty\":0"), 400, Bad, "repetition_penalty", "must be greater than zero, got 0.0."),
        new("repetition_penalty 1e39", Text, Field("\"repetition_penalty\":1e39"), 400, Bad, "repetition_penalty", "finite"),
        new("max_tokens 0", Text, Field("\"max_tokens\":0"), 400, Bad, "max_tokens", "max_tokens must be at least 1, got 0."),
        new("max_tokens negative", Text, Field("\"max_tokens\":-5"), 400, Bad, "max_tokens", "max_tokens must be at least 1, got -5."),
        new("min_tokens over max_tokens", Text, Field("\"min_tokens\":9,\"max_tokens\":8"), 400, Bad, "min_tokens", "less than or equal to max_tokens=8, got 9."),
        new("seed 1.5", Text, Field("\"seed\":1.5"), 400, Bad, "seed", "seed must be an integer"),
        new("seed 2^63", Text, Field("\"seed\":9223372036854775808"), 400, Bad, "seed", "of at most 64 bits"),
        new("n 0", Text, Field("\"n\":0"), 400, Bad, "n", "n must be at least 1, got 0."),
        new("n greedy", Text, Field("\"n\":2,\"temperature\":0"), 400, Bad, "n", "n must be 1 when using greedy sampling, got 2."),
        new("n huge", Text, Field("\"n\":1000000"), 400, Bad, "n", "n must be at most"),
        new("n times prompts", Text, """{"prompt":["a","b"],"n":16384,"temperature":1}""", 400, Bad, "n", "times the number of prompts"),
        new("logprobs 21", Text, Field("\"logprobs\":21"), 400, Bad, "logprobs", "Requested sample logprobs of 21, which is greater than max allowed: 20"),
        new("logprobs -2", Text, Field("\"logprobs\":-2"), 400, Bad, "logprobs", "logprobs must be non-negative or -1, got -2."),
        new("prompt_logprobs 21", Text, Field("\"prompt_logprobs\":21"), 400, Bad, "prompt_logprobs", "Requested prompt logprobs of 21"),
        new("prompt_logprobs streamed", Text, Field("\"prompt_logprobs\":1,\"stream\":true"), 400, Bad, "prompt_logprobs", "`prompt_logprobs` are not available when `stream=True`."),
        new("top_logprobs alone", Chat, Message("\"top_logprobs\":2"), 400, Bad, "top_logprobs", "when using `top_logprobs`, `logprobs` must be set to true."),
        new("chat logprobs as number", Chat, Message("\"logprobs\":2"), 400, Bad, "logprobs", "logprobs must be true or false, got 2"),
        new("priority", Text, Field("\"priority\":1"), 400, Bad, "priority", "Got priority 1 but Priority scheduling is not enabled"),
        new("truncate 0", Text, Field("\"truncate_prompt_tokens\":0"), 400, Bad, "truncate_prompt_tokens", "must be -1 or in [1, 2147483647], got 0"),

        // Texts and lists.
        new("stream as text", Text, Field("\"stream\":\"yes\""), 400, Bad, "stream", "stream must be true or false, got \"yes\""),
        new("stream_options alone", Text, Field("\"stream_options\":{\"include_usage\":true}"), 400, Bad, "stream_options", "Stream options can only be defined when `stream=True`."),
        new("stream_options as list", Text, Field("\"stream\":true,\"stream_options\":[]"), 400, Bad, "stream_options", "must be an object, got []"),
        new("include_usage as number", Text, Field("\"stream\":true,\"stream_options\":{\"include_usage\":1}"), 400, Bad, "stream_options.include_usage", "true or false"),
        new("stop as object", Text, Field("\"stop\":{}"), 400, Bad, "stop", "must be a string or a list of strings, got {}"),
        new("stop empty", Text, Field("\"stop\":[\"a\",\"\"]"), 400, Bad, "stop", "stop cannot contain an empty string."),
        new("stop of a number", Text, Field("\"stop\":[1]"), 400, Bad, "stop[0]", "must be a string, got 1"),
        new("stops", Text, Field($"\"stop\":[{Repeat("\"ab\"", 65)}]"), 400, Bad, "stop", "at most 64 strings, got 65"),
        new("stop_token_ids", Text, Field("\"stop_token_ids\":[4096]"), 400, Bad, "stop_token_ids", "contain out-of-vocab token ids. Vocabulary size: 4096"),
        new("logit_bias list", Text, Field("\"logit_bias\":[[1,2]]"), 400, Bad, "logit_bias", "must be an object"),
        new("logit_bias key", Text, Field("\"logit_bias\":{\"x\":1}"), 400, Bad, "logit_bias", "must have token ids as keys, got \"x\""),
        new("logit_bias value", Text, Field("\"logit_bias\":{\"5\":\"x\"}"), 400, Bad, "logit_bias", "must have finite numbers as values, got \"x\" for 5"),
        new("logit_bias vocabulary", Text, Field("\"logit_bias\":{\"5000\":1}"), 400, Bad, "logit_bias", "token_id(s) [5000] in logit_bias contain out-of-vocab token ids. Vocabulary size: 4096"),
        new("allowed_token_ids empty", Text, Field("\"allowed_token_ids\":[]"), 400, Bad, "allowed_token_ids", "allowed_token_ids is not None and empty!"),
        new("allowed_token_ids", Text, Field("\"allowed_token_ids\":[-1]"), 400, Bad, "allowed_token_ids", "contains out-of-vocab token id!"),
        new("bad_words empty", Text, Field("\"bad_words\":[\" \"]"), 400, Bad, "bad_words", "must not have an entry that is empty"),
        new("cache_salt empty", Text, Field("\"cache_salt\":\"\""), 400, Bad, "cache_salt", "must not be an empty string"),
        new("cache_salt long", Text, Field($"\"cache_salt\":\"{new string('s', 257)}\""), 400, Bad, "cache_salt", "at most 256 characters, got 257"),
        new("request_id with a line feed", Text, Field("\"request_id\":\"a\\nb\""), 400, Bad, "request_id", "\\u000ab"),
        new("truncation_side", Text, Field("\"truncation_side\":\"up\""), 400, Bad, "truncation_side", "must be left or right, got \"up\""),
        new("best_of", Text, Field("\"best_of\":3"), 400, Bad, "best_of", "must be equal to n=1"),

        // What cannot be served yet is never ignored.
        new("json_object", Chat, Message("\"response_format\":{\"type\":\"json_object\"}"), 400, Bad, "response_format", "response_format of type json_object is not supported yet"),
        new("response_format type", Chat, Message("\"response_format\":{\"type\":\"xml\"}"), 400, Bad, "response_format.type", "must be one of text"),
        new("response_format text", Chat, Message("\"response_format\":\"json\""), 400, Bad, "response_format", "must be an object"),
        new("structured_outputs", Text, Field("\"structured_outputs\":{\"regex\":\"a\"}"), 400, Bad, "structured_outputs", "is not supported yet"),
        new("guided_json", Text, Field("\"guided_json\":{\"type\":\"object\"}"), 400, Bad, "guided_json", "is not supported yet"),
        new("guided_choice", Text, Field("\"guided_choice\":[\"a\"]"), 400, Bad, "guided_choice", "is not supported yet"),
        new("beam search", Text, Field("\"use_beam_search\":true"), 400, Bad, "use_beam_search", "is not supported yet"),
        new("kv_transfer_params", Text, Field("\"kv_transfer_params\":{\"tp_size\":9}"), 400, Bad, "kv_transfer_params", "is not supported yet"),

        // Chats.
        new("no messages", Chat, "{}", 400, Bad, "messages", "messages is required"),
        new("empty messages", Chat, """{"messages":[]}""", 400, Bad, "messages", "must have at least one message"),
        new("messages as text", Chat, """{"messages":"hello"}""", 400, Bad, "messages", "must be a list, got \"hello\""),
        new("message as text", Chat, """{"messages":["hello"]}""", 400, Bad, "messages[0]", "object"),
        new("no role", Chat, """{"messages":[{"content":"a"}]}""", 400, Bad, "messages[0].role", "role"),
        new("unknown role", Chat, """{"messages":[{"role":"wizard","content":"a"}]}""", 400, Bad, "messages", "Only the roles system, user and assistant are supported."),
        new("content is a number", Chat, """{"messages":[{"role":"user","content":5}]}""", 400, Bad, "messages[0].content", "content"),
        new("image", Chat, """{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://169.254.169.254/"}}]}]}""", 400, Bad, "messages[0].content[0]", "image_url"),
        new("own template", Chat, Message("\"chat_template\":\"{{ 1 }}\""), 400, Bad, "chat_template", "--trust-request-chat-template is not set"),
        new("kwargs as list", Chat, Message("\"chat_template_kwargs\":[]"), 400, Bad, "chat_template_kwargs", "must be an object"),
        new("continue and header", Chat, Message("\"continue_final_message\":true"), 400, Bad, "continue_final_message", "Cannot set both `continue_final_message` and `add_generation_prompt` to True."),
        new("tools alone", Chat, Message(Tool), 400, Bad, "tool_choice", "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set"),
        new("tool_choice required", Chat, Message(Tool + ",\"tool_choice\":\"required\""), 400, Bad, "tool_choice", "requires --tool-call-parser to be set"),
        new("tool_choice alone", Chat, Message("\"tool_choice\":\"auto\""), 400, Bad, "tool_choice", "When using `tool_choice`, `tools` must be set."),
        new("tools empty", Chat, Message("\"tools\":[]"), 400, Bad, "tools", "`tools` must not be an empty array"),
        new("tool without name", Chat, Message("\"tools\":[{\"type\":\"function\",\"function\":{}}]"), 400, Bad, "tools[0].function.name", "is required"),
        new("tool_choice unknown", Chat, Message(Tool + ",\"tool_choice\":\"maybe\""), 400, Bad, "tool_choice", "must be none, auto, required or a named function"),

        // Tokens.
        new("tokenize nothing", "/tokenize", "{}", 400, Bad, "prompt", "prompt or messages is required"),
        new("tokenize a number", "/tokenize", """{"prompt":1}""", 400, Bad, "prompt", "must be a string, got 1"),
        new("detokenize nothing", "/detokenize", "{}", 400, Bad, "tokens", "tokens is required"),
        new("detokenize beyond", "/detokenize", """{"tokens":[4096]}""", 400, Bad, "tokens[0]", "Token id 4096 is out of vocabulary"),
        new("detokenize text", "/detokenize", """{"tokens":"abc"}""", 400, Bad, "tokens", "must be a list of token ids, got \"abc\""),
    ];

    private const string Tool = "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]";

    private static string Field(string field) => $$"""{"prompt":"a",{{field}}}""";

    private static string Message(string field) => $$"""{"messages":[{"role":"user","content":"a"}],{{field}}}""";

    private static string Nested(int depth) => new string('[', depth) + new string(']', depth);

    private static string Repeat(string item, int count, string separator = ",")
    {
        StringBuilder text = new();
        for (int i = 0; i < count; i++)
        {
            text.Append(i == 0 ? "" : separator).Append(item);
        }

        return text.ToString();
    }
}

/// <summary>A request that must be refused, and how.</summary>
/// <param name="Name">What is wrong with it.</param>
/// <param name="Path">Where it goes.</param>
/// <param name="Body">JSON, or what should be.</param>
/// <param name="Status">Status of the answer.</param>
/// <param name="Type">Its error type.</param>
/// <param name="Param">Its field; none where no field is to blame.</param>
/// <param name="Message">Part of its message.</param>
internal sealed record HostileRow(string Name, string Path, string Body, int Status, string Type, string? Param, string Message);

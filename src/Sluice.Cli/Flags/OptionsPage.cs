using System.Text;

namespace Sluice.Cli.Flags;

/// <summary>Writes <c>docs/options.md</c> from the flag table; a test holds the file against it.</summary>
internal static class OptionsPage
{
    public static string Write()
    {
        var page = new StringBuilder();
        page.Append("# Options\n\n");
        page.Append("Flags are vLLM's, in every spelling that its parser takes: `--max-num-seqs 8`, `--max_num_seqs=8`, `--no-enable-prefix-caching`,\n");
        page.Append("`-tp 1`, `--hf-overrides.rope_theta 1e6`, sizes as `8k` (8000), `8K` (8192) and `4GiB`, and `--config FILE.yaml` with one\n");
        page.Append("`name: value` a line (flags of the command line win). A misspelt flag is an error that names the nearest one. Exit codes: 0 well\n");
        page.Append("ended, 2 a mistake in what was asked for (one line says what to do), 1 a fault of the program.\n\n");
        page.Append("Environment: `VLLM_API_KEY` (as `--api-key`), `VLLM_HOST_IP` (as `--host`), `VLLM_LOGGING_LEVEL`, `VLLM_LOG_STATS_INTERVAL`\n");
        page.Append("(seconds), `HF_HOME` and `HF_HUB_CACHE` (where downloaded models lie). A flag wins over them. `SLUICE_CACHE_DIR` (where compiled\n");
        page.Append("GPU kernels are kept; else `XDG_CACHE_HOME/sluice`, else `~/.cache/sluice`), and `CUDA_HOME`, `CUDA_PATH`, `VIRTUAL_ENV` and\n");
        page.Append("`CONDA_PREFIX` (where CUDA's libraries are looked for first); see [kernels.md](kernels.md).\n\n");
        page.Append("This page is made from the program's own table (`Flags/FlagTable.cs`); a test keeps the two equal.\n");
        IEnumerable<Flag> used = FlagTable.All.Where(flag => flag.Support == FlagSupport.Used);
        foreach (IGrouping<string, Flag> group in used.GroupBy(flag => flag.Group))
        {
            page.Append($"\n## {group.Key}\n\n| flag | default | what it does | commands |\n|---|---|---|---|\n");
            foreach (Flag flag in group)
            {
                string values = flag.Values is { } all ? $" One of {string.Join(", ", all.Where(value => value.Length > 0).Select(value => $"`{value}`"))}." : "";
                page.Append($"| {Names(flag)} | {Escape(flag.Default ?? "")} | {Escape(flag.Summary)}{values} | {Commands(flag)} |\n");
            }
        }

        page.Append("\n## Accepted, not needed\n\nThe program prints the reason and goes on.\n\n| flag | why |\n|---|---|\n");
        foreach (Flag flag in FlagTable.All.Where(flag => flag.Support == FlagSupport.NotNeeded))
        {
            page.Append($"| {Names(flag)} | {Escape(flag.Note!)} |\n");
        }

        page.Append("\n## Not supported yet\n\nThe program ends with exit code 2, unless the value asks for nothing.\n\n| flag | what it is | fine |\n|---|---|---|\n");
        foreach (Flag flag in FlagTable.All.Where(flag => flag.Support == FlagSupport.NotSupportedYet))
        {
            string fine = string.Join(", ", (flag.Values ?? []).Where(value => value.Length > 0).Select(value => $"`{value}`"));
            page.Append($"| {Names(flag)} | {Escape(flag.Summary)} | {Escape(fine)} |\n");
        }

        return page.ToString();
    }

    private static string Names(Flag flag) => string.Join(" ", flag.Aliases.Append(flag.LongName).Select(name => $"`{name}`"));

    private static string Commands(Flag flag) => flag.Scope == FlagScope.Engine
        ? "all with a model"
        : string.Join(", ", CommandNames.All.Where(command => (command.Scope & flag.Scope) != 0).Select(command => command.Words));

    private static string Escape(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);
}

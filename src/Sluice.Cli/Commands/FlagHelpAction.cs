using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Sluice.Cli.Commands;

/// <summary>Shows <see cref="FlagHelp"/> for commands with flags, and the standard help for the others.</summary>
internal sealed class FlagHelpAction(HelpAction standard) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        if (parseResult.CommandResult.Command is not FlagCommand command)
        {
            return standard.Invoke(parseResult);
        }

        FlagHelp.Write(command, parseResult.InvocationConfiguration.Output);
        return 0;
    }
}

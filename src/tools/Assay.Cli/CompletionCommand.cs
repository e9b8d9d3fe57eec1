using System.CommandLine;

namespace Assay.Cli;

/// <summary><c>assay completion</c>: prints the script that lets a shell complete commands and options.</summary>
internal static class CompletionCommand
{
    private const string Bash = """
        _assay() {
            local IFS=$'\n'
            COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
            [ "${#COMPREPLY[@]}" -gt 0 ] || COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -o filenames -F _assay assay ./assay
        """;

    private const string Zsh = """
        #compdef assay
        _assay() {
            local -a found
            found=("${(@f)$(assay "[suggest:${#BUFFER}]" "${BUFFER}" 2>/dev/null)}")
            compadd -- $found
            _files
        }
        compdef _assay assay
        """;

    private const string Fish = """
        complete -c assay -a '(assay "[suggest:"(commandline -C)"]" (commandline) 2>/dev/null)'
        """;

    public static DescribedCommand Create()
    {
        var shell = new Argument<string>("shell") { Description = "bash, zsh or fish", HelpName = "SHELL" };
        shell.OneOf("bash", "zsh", "fish");
        var command = new DescribedCommand(
            "completion",
            "Prints the completion script of a shell.",
            "0 printed · 2 unusable command line",
            [
                "source <(assay completion bash)",
                "assay completion zsh > ~/.zfunc/_assay",
            ])
        {
            shell,
        };
        command.SetAction(parsed =>
        {
            Console.Out.WriteLine(parsed.GetValue(shell) switch { "zsh" => Zsh, "fish" => Fish, _ => Bash });
            return ExitCode.Verified;
        });
        return command;
    }
}

using System.CommandLine;
using Assay.Policies;

namespace Assay.Cli.Policies;

/// <summary>The dialect in which sources are read. Without an option it is detected, because NVIDIA's examples are v0 and newer policies v1.</summary>
internal sealed class DialectOptions
{
    private readonly Option<bool> _v0 = new("--v0") { Description = "read every file as Rego v0; without --v0 and --v1 the version is detected in each file" };
    private readonly Option<bool> _v1 = new("--v1") { Description = "read every file as Rego v1" };

    /// <summary>Gives the command its options.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_v0);
        command.Options.Add(_v1);
        command.Validators.Add(result =>
        {
            if (result.GetValue(_v0) && result.GetValue(_v1))
            {
                result.AddError("give --v0 or --v1, not both");
            }
        });
    }

    public PolicyDialect Of(ParseResult parsed) => parsed.GetValue(_v0) ? PolicyDialect.V0 : parsed.GetValue(_v1) ? PolicyDialect.V1 : PolicyDialect.Detected;
}

using System.CommandLine;
using Assay.Cli.Services;
using Assay.Client.Service;

namespace Assay.Cli.Keys;

/// <summary>Freezes, and acts that wait for a second person.</summary>
internal static partial class KeyCommand
{
    private static DescribedCommand Freeze()
    {
        var options = new ServiceOptions();
        var id = new Argument<string?>("id") { Description = "which key; all of the tenant, if it is not given", HelpName = "ID", Arity = ArgumentArity.ZeroOrOne };
        id.Validators.Add(result => Validate(result, KeyName.WhyNotNamed));
        var reason = new Option<string>("--reason") { Description = "why, for the log", HelpName = "TEXT", Required = true };
        var command = Of("freeze", "Stops releases of a key, or of all keys: when it returns, nothing is released. Two persons lift it.", [$"assay key freeze weights --reason forged-driver {Account}"], options, [reason], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
        {
            var body = ServiceConnection.Body(writer =>
            {
                writer.WriteString("reason", parsed.GetValue(reason));
                if (parsed.GetValue(id) is { } key)
                {
                    writer.WriteString("key", key);
                }
            });
            var freeze = await service.PostAsync("v1/freezes", body, root => root.Clone(), cancellation).ConfigureAwait(false);
            return KeyPrinter.PrintFreeze(freeze, parsed.GetValue(id), options.IsJson(parsed));
        }));
        return command;
    }

    private static DescribedCommand Unfreeze()
    {
        var options = new ServiceOptions();
        var id = new Argument<string>("freeze") { Description = "the freeze, as assay key freezes lists it", HelpName = "FREEZE" };
        var command = Of("unfreeze", "Proposes that a freeze ends. It ends when a second person approves; both log in as persons: API keys do not count.", [$"assay key unfreeze 0123456789abcdef0123456789abcdef --service https://keys.example.org --credential login.jwt"], options, [], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
        {
            var act = await service.PostAsync($"v1/freezes/{Uri.EscapeDataString(parsed.GetValue(id)!)}/lift", ServiceConnection.Body(_ => { }), root => root.Clone(), cancellation).ConfigureAwait(false);
            return KeyPrinter.PrintAct(act, options.IsJson(parsed));
        }));
        return command;
    }

    private static DescribedCommand Freezes()
    {
        var options = new ServiceOptions();
        var command = Of("freezes", "Lists the freezes that hold.", [$"assay key freezes {Account}"], options, []);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
            KeyPrinter.PrintFreezes(await service.GetAsync("v1/freezes", root => root.Clone(), cancellation).ConfigureAwait(false), options.IsJson(parsed))));
        return command;
    }

    private static DescribedCommand Approvals()
    {
        var options = new ServiceOptions();
        var command = Of("approvals", "Lists the acts that wait for a second person, whole, with the digest that an approval names.", [$"assay key approvals {Account}"], options, []);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
            KeyPrinter.PrintActs(await service.GetAsync("v1/approvals", root => root.Clone(), cancellation).ConfigureAwait(false), options.IsJson(parsed))));
        return command;
    }

    private static DescribedCommand Approve()
    {
        var options = new ServiceOptions();
        var id = new Argument<string>("act") { Description = "the act, as assay key approvals lists it", HelpName = "ACT" };
        var digest = new Option<string>("--digest") { Description = "SHA-384 of what you have read: the act is done only if it is this one", HelpName = "HEX", Required = true };
        var command = Of("approve", "Approves an act as the second person, logged in by OIDC or client certificate. It is done at once.", [$"assay key approve 0123456789abcdef0123456789abcdef --digest {new string('0', 96)} --service https://keys.example.org --credential login.jwt"], options, [digest], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
        {
            await service.PostAsync($"v1/approvals/{Uri.EscapeDataString(parsed.GetValue(id)!)}", ServiceConnection.Body(writer => writer.WriteString("digest", parsed.GetValue(digest))), cancellation).ConfigureAwait(false);
            return KeyPrinter.Print(options.IsJson(parsed), ("approved", parsed.GetValue(id)!), "approved, and done");
        }));
        return command;
    }

    private static DescribedCommand Withdraw()
    {
        var options = new ServiceOptions();
        var id = new Argument<string>("act") { Description = "the act, as assay key approvals lists it", HelpName = "ACT" };
        var command = Of("withdraw", "Takes back an act that waits for a second person. One person, or an API key, may.", [$"assay key withdraw 0123456789abcdef0123456789abcdef {Account}"], options, [], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
        {
            await service.DeleteAsync($"v1/approvals/{Uri.EscapeDataString(parsed.GetValue(id)!)}", cancellation).ConfigureAwait(false);
            return KeyPrinter.Print(options.IsJson(parsed), ("withdrawn", parsed.GetValue(id)!), "withdrawn: it can no longer be approved");
        }));
        return command;
    }
}

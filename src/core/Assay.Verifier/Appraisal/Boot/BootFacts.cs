using System.Collections.Immutable;
using Assay.Authentication;
using Assay.Evidence.EventLogs;
using Assay.Wire;

namespace Assay.Appraisal.Boot;

/// <summary>Whether firmware verified what it booted. The default is not known.</summary>
internal enum SecureBootState
{
    /// <summary>The log does not tell, or tells it in a way that proves nothing.</summary>
    NotTold,

    /// <summary>Off, or never set up.</summary>
    Off,

    /// <summary>On.</summary>
    On,
}

/// <summary>What a measurement is of.</summary>
public enum BootRole
{
    /// <summary>Not told.</summary>
    None,

    /// <summary>An EFI image that firmware started: boot loader, unified kernel image or kernel. The digest is its Authenticode hash.</summary>
    BootApplication,

    /// <summary>A kernel.</summary>
    Kernel,

    /// <summary>The kernel's command line.</summary>
    CommandLine,

    /// <summary>An initial RAM disk.</summary>
    Initrd,
}

/// <summary>
/// A measurement whose meaning the log names. The digest is proven, and the text where there is one. What it is of is the log's word: event
/// types and labels are not measured, so no check asks for a role.
/// </summary>
/// <param name="Role">What the log calls it.</param>
/// <param name="Event">The event's number.</param>
/// <param name="Register">Where.</param>
/// <param name="Digest">In the quoted bank.</param>
/// <param name="Label">What the event says of it, printable: anybody may have written it.</param>
/// <param name="Text">The measured text itself, where the digest covers it; null elsewhere.</param>
public sealed record BootMeasurement(BootRole Role, int Event, int Register, Digest Digest, string Label, string? Text);

/// <summary>What a replayed log says about a boot.</summary>
internal sealed record BootFacts
{
    private const string SecureBootName = "SecureBoot";
    private const uint LoadOptionsTag = 0x8F3B22ED;
    private const uint InitrdTag = 0x8F3B22EC;

    // SecureBoot, the platform key, the key exchange keys and both databases: one that is missing was left out of the story.
    private static readonly ImmutableArray<(Guid Vendor, string Name)> s_policy =
    [
        (UefiVariable.Global, SecureBootName), (UefiVariable.Global, "PK"), (UefiVariable.Global, "KEK"),
        (UefiVariable.ImageSecurity, "db"), (UefiVariable.ImageSecurity, "dbx"),
    ];

    /// <summary>Whether Secure Boot is on.</summary>
    public required SecureBootState SecureBoot { get; init; }

    /// <summary>Why the state is what it is.</summary>
    public required string SecureBootReason { get; init; }

    /// <summary>What was started, with what.</summary>
    public required ImmutableArray<BootMeasurement> Measurements { get; init; }

    internal static BootFacts Of(AuthenticEventLog log)
    {
        var (state, reason) = ReadSecureBoot(log);
        return new BootFacts
        {
            SecureBoot = state,
            SecureBootReason = reason,
            // Firmware and boot loader extend nothing there: an event of the guest that is called theirs would only bring its label here.
            Measurements = [.. log.Events.Where(item => log.Quoted.Kind is not RegisterKind.Rtmr || item.Register != BootResult.GuestRtmr).Select(item => Measurement(item, log)).OfType<BootMeasurement>()],
        };
    }

    private static (SecureBootState State, string Reason) ReadSecureBoot(AuthenticEventLog log)
    {
        var register = log.Quoted.Kind is RegisterKind.Rtmr ? 0 : 7;
        // By digest, not by type: a register does not hold types, so whoever shows the log may call an event what he likes. What comes
        // after the separator is the operating system's, whatever it is called.
        var events = log.Events.Where(item => item.Register == register).ToArray();
        var before = events.TakeWhile(item => !Separators.IsSound(log.DigestOf(item), log.Bank)).ToArray();
        if (before.Length == events.Length)
        {
            return (SecureBootState.NotTold, "the register that holds the Secure Boot policy is not explained up to a separator");
        }

        var debug = log.Bank.Of("UEFI Debug Mode"u8);
        if (events.Any(item => log.DigestOf(item) == debug))
        {
            return (SecureBootState.Off, "UEFI debug mode is on");
        }

        // The variable is searched for by the digests of the values that firmware gives it when it verifies nothing. So calling its event
        // something else, or leaving its data out, hides it from nobody. Whatever else says 01 is then somebody's forgery: a host chooses
        // blobs that firmware measures, and one may be spelled like the variable.
        var zero = log.Bank.Of(UefiVariable.Encode(UefiVariable.Global, SecureBootName, [0]));
        var unset = log.Bank.Of(UefiVariable.Encode(UefiVariable.Global, SecureBootName, []));
        foreach (var digest in before.Select(log.DigestOf))
        {
            if (digest == zero || digest == unset)
            {
                return (SecureBootState.Off, digest == zero ? "SecureBoot is 00" : "SecureBoot is not set");
            }
        }

        var read = before.Select(item => VariableOf(item, log)).ToArray();
        if (WhichMayBeHidden(before, read, log) is { } hidden)
        {
            return (SecureBootState.NotTold, $"the data of event {hidden.Number} do not match their measured digests, and it could be the variable");
        }

        var variables = read.OfType<UefiVariable>().ToArray();
        var wrong = s_policy.Where(wanted => variables.Count(variable => variable.Vendor == wanted.Vendor && variable.Name == wanted.Name) != 1).Select(wanted => wanted.Name).ToArray();
        if (wrong.Length > 0)
        {
            return (SecureBootState.NotTold, $"{string.Join(", ", wrong)} must each appear exactly once before the separator, with a matching digest");
        }

        var value = variables.Single(variable => variable.Vendor == UefiVariable.Global && variable.Name == SecureBootName).Data.Span;
        return value is [1] ? (SecureBootState.On, "SecureBoot is 01") : (SecureBootState.NotTold, "SecureBoot has an undefined value");
    }

    // By data and digest, whatever type the log gives the event.
    private static UefiVariable? VariableOf(BootEvent item, AuthenticEventLog log) =>
        BootEventData.IsCovered(item, log.Bank, log.Position) && UefiVariable.TryParse(item.Data.Span, out var variable, out _) ? variable : null;

    // The first event that could be SecureBoot with another value than those two, hidden: its data are left out or are not what was
    // measured. In PCR 7 every event is measured as it stands (PC Client Platform Firmware Profile 1.06 §3.3.4.8), so none may be so. RTMR0
    // is PCR 1 as well, where firmware measures its hand-off block and its configuration volume and logs something else for them. Recorded
    // logs have these two before any variable and with data, and from the first variable to the separator nothing but variables: EDK2
    // measures the five and the separator in one go. So in RTMR0 such an event counts when it has no data, when the log calls it a variable,
    // or when it comes after the first of the five.
    private static BootEvent? WhichMayBeHidden(BootEvent[] before, UefiVariable?[] read, AuthenticEventLog log)
    {
        var first = Array.FindIndex(read, variable => variable is not null && s_policy.Contains((variable.Vendor, variable.Name)));
        return before.Where((item, index) => !BootEventData.IsCovered(item, log.Bank, log.Position)
            && (log.Quoted.Kind is not RegisterKind.Rtmr || item.Data.IsEmpty || BootEventData.IsCalledVariable(item) || (first >= 0 && index > first))).FirstOrDefault();
    }

    private static BootMeasurement? Measurement(BootEvent item, AuthenticEventLog log)
    {
        // Types, tags and labels are the log's own word: a wrong one gives a digest another caption, and no check asks for captions.
        var label = BootEventData.Label(item);
        string? text = null;
        var role = item.Type switch
        {
            BootEventType.EfiBootServicesApplication => BootRole.BootApplication,
            BootEventType.EventTag => TagOf(item) switch { LoadOptionsTag => BootRole.CommandLine, InitrdTag => BootRole.Initrd, _ => BootRole.None },
            BootEventType.Ipl when BootEventData.IsGrubCommandLine(item, log.Bank, log.Position, out text) => BootRole.CommandLine,
            BootEventType.Ipl => RoleOfLabel(item, label, log),
            _ => BootRole.None,
        };
        return role is BootRole.None ? null : new BootMeasurement(role, item.Number, item.Register, log.DigestOf(item), label, text);
    }

    private static uint TagOf(BootEvent item) => item.Data.Length >= sizeof(uint) ? BitConverter.ToUInt32(item.Data.Span) : 0;

    // systemd-stub measures each section of a unified kernel image twice: its name, then its content, under the same label. GRUB names
    // the files that it reads.
    private static BootRole RoleOfLabel(BootEvent item, string label, AuthenticEventLog log)
    {
        var nameItself = log.DigestOf(item) == log.Bank.Of([.. System.Text.Encoding.ASCII.GetBytes(label), 0]);
        return nameItself ? BootRole.None : label switch
        {
            ".linux" => BootRole.Kernel,
            ".cmdline" => BootRole.CommandLine,
            ".initrd" => BootRole.Initrd,
            _ when label.Contains("vmlinuz", StringComparison.Ordinal) && item.Register == 9 => BootRole.Kernel,
            _ when label.Contains("initrd", StringComparison.Ordinal) && item.Register == 9 => BootRole.Initrd,
            _ => BootRole.None,
        };
    }
}

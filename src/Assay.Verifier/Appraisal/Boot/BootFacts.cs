using System.Collections.Immutable;
using Assay.Evidence.EventLogs;
using Assay.Trust.EventLogs;
using Assay.Wire;

namespace Assay.Appraisal.Boot;

/// <summary>Whether firmware verified what it booted. The default is not known.</summary>
public enum SecureBootState
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

/// <summary>A measurement whose meaning the log names. The digest is proven; the name of what it is of is a label, unless text stands here.</summary>
/// <param name="Role">What the log calls it.</param>
/// <param name="Event">The event's number.</param>
/// <param name="Register">Where.</param>
/// <param name="Digest">In the quoted bank.</param>
/// <param name="Label">What the event says of it, printable: anybody may have written it.</param>
/// <param name="Text">The measured text itself, where the digest covers it; null elsewhere.</param>
public sealed record BootMeasurement(BootRole Role, int Event, int Register, Digest Digest, string Label, string? Text);

/// <summary>What a replayed log tells of a boot.</summary>
public sealed record BootFacts
{
    private const uint LoadOptionsTag = 0x8F3B22ED;
    private const uint InitrdTag = 0x8F3B22EC;

    // SecureBoot, the platform key, the key exchange keys and both databases: one that is missing was left out of the story.
    private static readonly ImmutableArray<(Guid Vendor, string Name)> s_policy =
    [
        (UefiVariable.Global, "SecureBoot"), (UefiVariable.Global, "PK"), (UefiVariable.Global, "KEK"),
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
            Measurements = [.. log.Events.Select(item => Measurement(item, log)).OfType<BootMeasurement>()],
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
            return (SecureBootState.Off, "UEFI Debug Mode is on");
        }

        var variables = before.Where(item => item.Type == BootEventType.EfiVariableDriverConfig && BootEventData.IsCovered(item, log.Bank, log.Position))
            .Select(item => UefiVariable.TryParse(item.Data.Span, out var variable, out _) ? variable : null).OfType<UefiVariable>().ToArray();
        var wrong = s_policy.Where(wanted => variables.Count(variable => variable.Vendor == wanted.Vendor && variable.Name == wanted.Name) != 1).Select(wanted => wanted.Name).ToArray();
        if (wrong.Length > 0)
        {
            return (SecureBootState.NotTold, $"{string.Join(", ", wrong)} stand not exactly once before the separator, with their own digest");
        }

        var value = variables.Single(variable => variable.Vendor == UefiVariable.Global && variable.Name == "SecureBoot").Data.Span;
        return value is [1] ? (SecureBootState.On, "SecureBoot is 01")
            : value is [] ? (SecureBootState.Off, "SecureBoot is not set")
            : value is [0] ? (SecureBootState.Off, "SecureBoot is 00")
            : (SecureBootState.NotTold, "SecureBoot has a value of its own");
    }

    private static BootMeasurement? Measurement(BootEvent item, AuthenticEventLog log)
    {
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

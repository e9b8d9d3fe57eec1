using System.Collections.Immutable;
using Assay.Appraisal.Devices;
using Assay.Cli.Verify;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Tests.Collateral;
using Assay.Trust;
using Assay.Trust.Revocation;
using Spectre.Console;

namespace Assay.Tests.Attacks;

/// <summary>Whoever writes evidence, folders or certificates tries to draw a verdict of his own on the reader's terminal.</summary>
public sealed class TerminalTests(NvidiaServices nvidia) : IClassFixture<NvidiaServices>
{
    private const string Drawing = "\u001b[2J\u001b[H\u001b[32mPASS\u001b[0m\nPASS\u009b2J\u202e";

    [Fact]
    public void The_architecture_that_evidence_states_draws_nothing() =>
        AssertPlain(Print(nvidia.Evidence[0] with { DeclaredArchitecture = Drawing }));

    [Fact]
    public void The_name_of_a_member_or_file_draws_nothing() =>
        AssertPlain(Print(nvidia.Evidence[0] with { Source = Drawing }));

    [Fact]
    public void The_fault_of_a_RIM_source_draws_nothing()
    {
        var expected = nvidia.Expectations with { Basis = nvidia.Expectations.Basis with { Revocation = RevocationChecking.DangerouslySkipped } };
        var cache = new VerifierCache();
        var authenticated = DevicesAppraisal.Authenticate(nvidia.Evidence, expected, cache);
        var faults = nvidia.Set.Rims.ToImmutableDictionary(rim => rim.Id, _ => Drawing);

        AssertPlain(Print(DevicesAppraisal.Appraise(authenticated, MachineCollateral.Empty with { RimFaults = faults }, expected, cache)));
    }

    [Theory]
    [InlineData("\u009b2J")]
    [InlineData("\u0085")]
    [InlineData("\u202e")]
    [InlineData("\u2028")]
    [InlineData("\ue000")]
    [InlineData("\uffff")]
    public void A_certificates_name_holds_nothing_that_moves_text(string harmful)
    {
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP384);
        var name = new System.Security.Cryptography.X509Certificates.X500DistinguishedNameBuilder();
        name.AddCommonName("GH100" + harmful);
        var request = new System.Security.Cryptography.X509Certificates.CertificateRequest(name.Build(), key, System.Security.Cryptography.HashAlgorithmName.SHA384);
        request.CertificateExtensions.Add(new System.Security.Cryptography.X509Certificates.X509BasicConstraintsExtension(false, false, 0, true));
        using var certificate = request.CreateSelfSigned(NvidiaServices.Now, NvidiaServices.Now.AddDays(1));

        Assert.False(Certificate.TryParse(certificate.RawData, out _, out var fault));
        Assert.Equal("issuer", fault.Field);
    }

    private string Print(DeviceEvidence evidence)
    {
        var expected = nvidia.Expectations with { Basis = nvidia.Expectations.Basis with { Revocation = RevocationChecking.DangerouslySkipped } };
        var cache = new VerifierCache();
        return Print(DevicesAppraisal.Appraise(DevicesAppraisal.Authenticate([evidence], expected, cache), MachineCollateral.Empty, expected, cache));
    }

    private static string Print(DevicesResult appraisal)
    {
        using var text = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Out = new AnsiConsoleOutput(text) });
        console.Profile.Width = 100_000;
        new VerdictPrinter(console, verbose: true).Print(DefaultPolicy.Decide(appraisal));
        return text.ToString();
    }

    private static void AssertPlain(string text)
    {
        Assert.DoesNotContain(text, character => (char.IsControl(character) && character is not ('\n' or '\r')) || character is '\u202e');
        Assert.DoesNotContain("\nPASS", text, StringComparison.Ordinal);
    }
}

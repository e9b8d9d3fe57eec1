using System.Security.Cryptography.X509Certificates;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Tests.Trust.Revocation;

public class CertificateRevocationListTests
{
    private static readonly Identity s_root = Identity.Root("Assay Test CA");
    private static readonly Identity s_device = s_root.Issue("device", Identity.Signs);
    private static readonly Identity s_revoked = s_root.Issue("revoked device", Identity.Signs);
    private static readonly RevokedList s_list = new(s_root)
    {
        Entries = [([0x7F], null, []), (s_revoked.Certificate.SerialNumber.ToArray(), 1, [("2.5.29.24", false, Forge.Der(writer => writer.WriteGeneralizedTime(Forge.Now, true)))]), ([1], 6, [])],
    };

    [Fact]
    public void Every_field_is_read()
    {
        var list = Parsed(s_list.Encode());

        Assert.Equal(s_root.Certificate.Subject, list.Issuer);
        Assert.Equal((Forge.Now, Forge.Now + TimeSpan.FromDays(7)), (list.ThisUpdate, list.NextUpdate));
        Assert.Equal(7, list.CrlNumber);
        Assert.Equal(3, list.EntryCount);
        Assert.Equal(RevocationReason.CertificateHold, list.Find([1])!.Reason);
        Assert.Equal(new RevocationStatus(CertificateStatus.Revoked, Forge.Now - TimeSpan.FromDays(30)), list.Find([0x7F]));
        Assert.Null(list.Find([2]));
        Assert.Null(list.Find([]));
    }

    [Fact]
    public void A_listed_certificate_is_revoked_and_another_is_good_and_a_stranger_unknown()
    {
        var cache = new VerifierCache();
        var crl = Authentic(s_list, cache);
        var twin = Identity.Root("Assay Test CA");

        Assert.Equal(new RevocationStatus(CertificateStatus.Revoked, Forge.Now - TimeSpan.FromDays(30), RevocationReason.KeyCompromise), crl.StatusOf(s_revoked.Certificate, s_root.Certificate));
        Assert.Equal(CertificateStatus.Good, crl.StatusOf(s_device.Certificate, s_root.Certificate).Status);
        Assert.Equal(CertificateStatus.Unknown, crl.StatusOf(twin.Issue("device").Certificate, twin.Certificate).Status);
        Assert.Equal(1, cache.Meter.SignatureVerifications);
        Assert.Same(crl, Reuse(crl, cache));
        Assert.Equal(1, cache.Meter.SignatureVerifications);
    }

    [Theory]
    [InlineData(0, RevocationState.Good)]
    [InlineData(-301, RevocationState.NotYetValid)]
    [InlineData(604_800, RevocationState.Good)]
    [InlineData(604_801, RevocationState.Expired)]
    public void A_list_holds_from_thisUpdate_to_nextUpdate(int seconds, RevocationState expected)
    {
        var crl = Authentic(s_list, new VerifierCache());
        var at = Forge.Now + TimeSpan.FromSeconds(seconds);

        Assert.Equal(expected, RevocationJudgement.Of(crl, s_device.Certificate, s_root.Certificate, at).State);
        Assert.Equal(RevocationState.Revoked, RevocationJudgement.Of(crl, s_revoked.Certificate, s_root.Certificate, at).State);
    }

    [Fact]
    public void Age_is_compared_by_number_and_then_by_thisUpdate()
    {
        var cache = new VerifierCache();
        var list = Authentic(s_list, cache);
        var numbered = Authentic(s_list with { Number = 8, ThisUpdate = Forge.Now - TimeSpan.FromDays(1) }, cache);
        var later = Authentic(s_list with { ThisUpdate = Forge.Now + TimeSpan.FromSeconds(1) }, cache);
        var unnumbered = Authentic(s_list with { Number = null, ThisUpdate = Forge.Now + TimeSpan.FromSeconds(2) }, cache);

        Assert.True(list.IsOlderThan(numbered));
        Assert.False(numbered.IsOlderThan(list));
        Assert.True(list.IsOlderThan(later));
        Assert.True(later.IsOlderThan(unnumbered));
        Assert.False(list.IsOlderThan(list));
    }

    public static TheoryData<string, string> Defects => new()
    {
        { "v1", "version: tag 30 where 02 is expected" },
        { "v3", "version: not v2" },
        { "no nextUpdate", "nextUpdate: neither UTCTime nor GeneralizedTime" },
        { "backwards", "nextUpdate: before thisUpdate" },
        { "empty", "revokedCertificates: empty, where RFC 5280 §5.1.2.6 wants it absent" },
        { "repeated", "userCertificate: repeated" },
        { "reason", "reasonCode: not a CRLReason" },
        { "critical entry", "crlEntryExtensions: the critical extension 1.2.3.4 is not supported" },
        { "indirect entry", "certificateIssuer: an entry of an indirect list, which is not supported" },
        { "partial", "issuingDistributionPoint: a partial or indirect list, which is not supported" },
        { "quietly partial", "issuingDistributionPoint: a partial or indirect list, which is not supported" },
        { "delta", "deltaCRLIndicator: a delta list, which is not supported" },
        { "quiet delta", "deltaCRLIndicator: a delta list, which is not supported" },
        { "critical", "crlExtensions: the critical extension 1.2.3.4 is not supported" },
        { "negative number", "cRLNumber: negative or longer than 20 octets" },
    };

    [Theory]
    [MemberData(nameof(Defects))]
    public void A_defect_is_named(string defect, string expected)
    {
        byte[] five = [5, 0], one = [2, 1, 1];
        var list = defect switch
        {
            "v1" => s_list with { Version = null },
            "v3" => s_list with { Version = 2 },
            "no nextUpdate" => s_list with { NextUpdate = null },
            "backwards" => s_list with { NextUpdate = Forge.Now - TimeSpan.FromSeconds(1) },
            "empty" => s_list with { Entries = [], WriteEmptyEntries = true },
            "repeated" => s_list with { Entries = [([1], 6, []), ([2], 1, []), ([1], 1, [])] },
            "reason" => s_list with { Entries = [([1], 7, [])] },
            "critical entry" => s_list with { Entries = [([1], 1, [("1.2.3.4", true, five)])] },
            "indirect entry" => s_list with { Entries = [([1], 1, [("2.5.29.29", true, five)])] },
            "partial" => s_list with { Extensions = [("2.5.29.28", true, five)] },
            "quietly partial" => s_list with { Extensions = [("2.5.29.28", false, five)] },
            "delta" => s_list with { Extensions = [("2.5.29.27", true, one)] },
            "quiet delta" => s_list with { Extensions = [("2.5.29.27", false, one)] },
            "critical" => s_list with { Extensions = [("1.2.3.4", true, five)] },
            _ => s_list with { Number = -1 },
        };

        Assert.False(CertificateRevocationList.TryParse(list.Encode(), out _, out var fault));
        Assert.Equal(expected, $"{fault!.Field}: {fault.Problem}");
    }

    public static TheoryData<string, string> Signers => new()
    {
        { "another name", "the list names the issuer \"CN=device\", not \"CN=Assay Test CA\"" },
        { "another key identifier", "the list's authorityKeyIdentifier is not its issuer's subjectKeyIdentifier" },
        { "another key", "the list was not signed by the key of its issuer" },
        { "no CA", "the list's issuer is not a CA" },
        { "no cRLSign", "the list's issuer may not sign lists (keyUsage)" },
        { "no keyUsage", "the list's issuer may not sign lists (keyUsage)" },
        { "marked", "the list's issuer and the trust set disagree on being simulated" },
    };

    [Theory]
    [MemberData(nameof(Signers))]
    public void A_list_that_its_issuer_did_not_or_may_not_sign_is_refused(string defect, string expected)
    {
        var (signer, list) = defect switch
        {
            "no CA" => With(Identity.Root("leaf", Identity.Signs)),
            "no cRLSign" => With(Identity.Root("CA", Identity.Authority, new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true))),
            "no keyUsage" => With(Identity.Root("CA", Identity.Authority)),
            "marked" => With(Identity.Root("CA", Identity.Authority, Identity.SignsCertificatesAndLists, Identity.Marker)),
            "another name" => (s_root, s_list with { Named = s_device.Certificate }),
            "another key identifier" => (s_root, s_list with { AuthorityKey = [1, 2, 3] }),
            _ => (s_root, new RevokedList(Identity.Root("Assay Test CA")) { AuthorityKey = s_root.Certificate.Extensions.SubjectKeyIdentifier }),
        };

        Assert.False(AuthenticCrl.TryAuthenticate(Parsed(list.Encode()), signer.Certificate, TrustSetKind.Custom, new VerifierCache(), out var crl, out var whyNot));
        Assert.Null(crl);
        Assert.Equal(expected, whyNot);

        static (Identity, RevokedList) With(Identity signer) => (signer, new RevokedList(signer));
    }

    [Fact]
    public void Every_proper_prefix_and_every_extension_by_a_byte_is_refused()
    {
        var whole = s_list.Encode();

        for (var length = 0; length < whole.Length; length++)
        {
            Assert.False(CertificateRevocationList.TryParse(whole.AsSpan(0, length), out _, out _));
        }

        Assert.False(CertificateRevocationList.TryParse([.. whole, 0], out _, out var fault));
        Assert.Equal("trailing bytes", fault!.Problem);
    }

    [Fact]
    public void A_hundred_thousand_entries_cost_an_index_and_no_objects()
    {
        (byte[], int?, (string, bool, byte[])[])[] entries =
            [.. Enumerable.Range(1, 100_000).Select(number => (new byte[] { (byte)(number * 7 >> 16 | 0x80), (byte)(number * 7 >> 8 & 0xFF), (byte)(number * 7 & 0xFF) }, (int?)null, Array.Empty<(string, bool, byte[])>()))];
        var bytes = (s_list with { Entries = [.. entries.Reverse()] }).Encode();
        var before = GC.GetAllocatedBytesForCurrentThread();

        var list = Parsed(bytes);

        // The copy of the bytes, the index while it grows, and the index: not a hundred thousand of anything.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, bytes.Length, bytes.Length + 100_000 * 8 * 5);
        Assert.Equal(100_000, list.EntryCount);
        Assert.All([entries[0], entries[49_999], entries[99_999]], entry => Assert.NotNull(list.Find(entry.Item1)));
        Assert.Null(list.Find([0x80, 0, 1]));
    }

    internal static CertificateRevocationList Parsed(byte[] bytes)
    {
        Assert.True(CertificateRevocationList.TryParse(bytes, out var list, out var fault), fault?.ToString());
        return list!;
    }

    private static AuthenticCrl Authentic(RevokedList list, VerifierCache cache)
    {
        Assert.True(AuthenticCrl.TryAuthenticate(Parsed(list.Encode()), s_root.Certificate, TrustSetKind.Custom, cache, out var crl, out var whyNot), whyNot);
        return crl!;
    }

    private static AuthenticCrl Reuse(AuthenticCrl crl, VerifierCache cache)
    {
        Assert.True(AuthenticCrl.TryAuthenticate(crl.List, s_root.Certificate, TrustSetKind.Custom, cache, out var again, out var whyNot), whyNot);
        return again!;
    }
}

using System.Globalization;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Tests.Trust.Revocation;

/// <summary>S-26: any flipped bit is refused, or decodes to the identical value. The second kind is the ledger below, and nothing else.</summary>
public class BitFlipTests
{
    private static readonly Identity s_root = Identity.Root("Assay Test CA");
    private static readonly Identity s_device = s_root.Issue("device", Identity.Signs);
    private static readonly Identity s_responder = s_root.Issue("responder", Identity.Signs, Identity.OcspSigning, Identity.NoCheck);

    // Unsigned and unused: a certificate of the list certs that responderID does not name. Flips in it that leave a readable certificate
    // change nothing. Everything else of a response and of a list is signed, or is the one encoding of what frames it.
    private static readonly byte[] s_unused = s_device.Certificate.Raw.ToArray();

    [Fact]
    public void Any_flipped_bit_of_a_response_is_refused_or_stands_in_an_unused_certificate()
    {
        var revoked = new Single(s_device.Certificate, s_root.Certificate) { Status = CertificateStatus.Revoked, Reason = 1 };
        var whole = new Answer(s_responder, revoked)
        {
            Certificates = [s_responder.Certificate, s_device.Certificate],
            Extensions = [(Forge.NonceOid, false, Forge.Nonce([1, 2, 3, 4, 5, 6, 7, 8]))],
        }.Encode();
        var unused = whole.AsSpan().IndexOf(s_unused);
        var cache = new VerifierCache();
        var expected = Judged(whole, cache);

        var survivors = Flips(whole, bytes => Judged(bytes, cache));

        Assert.StartsWith("Revoked", expected, StringComparison.Ordinal);
        Assert.All(survivors, survivor => Assert.Equal(expected, survivor.Outcome));
        Assert.All(survivors, survivor => Assert.InRange(survivor.Offset, unused, unused + s_unused.Length - 1));
        Assert.NotEmpty(survivors);
    }

    [Fact]
    public void Any_flipped_bit_of_a_response_without_spare_certificates_is_refused()
    {
        var whole = new Answer(s_root, new Single(s_device.Certificate, s_root.Certificate)) { ByKey = true }.Encode();
        var cache = new VerifierCache();

        Assert.StartsWith("Good", Judged(whole, cache), StringComparison.Ordinal);
        Assert.Empty(Flips(whole, bytes => Judged(bytes, cache)));
    }

    [Fact]
    public void Any_flipped_bit_of_a_list_is_refused()
    {
        var whole = new RevokedList(s_root) { Entries = [(s_device.Certificate.SerialNumber.ToArray(), 6, []), ([1, 2], null, [])] }.Encode();
        var cache = new VerifierCache();

        Assert.StartsWith("Hold", JudgedList(whole, cache), StringComparison.Ordinal);
        Assert.Empty(Flips(whole, bytes => JudgedList(bytes, cache)));
    }

    [Fact]
    public void No_awkward_byte_anywhere_makes_a_reader_throw()
    {
        var response = new Answer(s_responder, new Single(s_device.Certificate, s_root.Certificate)) { Certificates = [s_responder.Certificate] }.Encode();
        var list = new RevokedList(s_root) { Entries = [([1, 2], 6, []), ([3], null, [])] }.Encode();

        foreach (var awkward in (byte[])[0x00, 0x01, 0x1F, 0x30, 0x7F, 0x80, 0x81, 0x82, 0x83, 0x84, 0xA0, 0xFF])
        {
            for (var offset = 0; offset < Math.Max(response.Length, list.Length); offset++)
            {
                var replaced = (byte[])response.Clone();
                replaced[Math.Min(offset, replaced.Length - 1)] = awkward;
                Assert.Equal(OcspResponse.TryParse(replaced, out var read, out var why), why is null && read is not null);
                replaced = (byte[])list.Clone();
                replaced[Math.Min(offset, replaced.Length - 1)] = awkward;
                Assert.Equal(CertificateRevocationList.TryParse(replaced, out var crl, out why), why is null && crl is not null);
            }
        }
    }

    private static List<(int Offset, string Outcome)> Flips(byte[] whole, Func<byte[], string?> judge)
    {
        var survivors = new List<(int, string)>();
        for (var bit = 0; bit < whole.Length * 8; bit++)
        {
            var flipped = (byte[])whole.Clone();
            flipped[bit / 8] ^= (byte)(1 << bit % 8);
            if (judge(flipped) is { } outcome)
            {
                survivors.Add((bit / 8, outcome));
            }
        }

        return survivors;
    }

    private static string? Judged(byte[] bytes, VerifierCache cache)
    {
        if (!OcspResponse.TryParse(bytes, out var response, out _)
            || !AuthenticOcspAnswer.TryAuthenticate(response, s_device.Certificate, s_root.Certificate, TrustSetKind.Custom, cache, out var answer, out _))
        {
            return null;
        }

        var judged = RevocationJudgement.Of(answer, Forge.Now);
        return string.Create(CultureInfo.InvariantCulture, $"{judged.State} {judged.Currency} {judged.RevokedAt} {judged.Reason} {answer.About} {answer.ThisUpdate} {answer.NextUpdate} {answer.ProducedAt} {answer.ResponderNotBefore} {answer.ResponderNotAfter} {Convert.ToHexString(answer.Nonce.GetValueOrDefault().Span)}");
    }

    private static string? JudgedList(byte[] bytes, VerifierCache cache) =>
        CertificateRevocationList.TryParse(bytes, out var list, out _)
        && AuthenticCrl.TryAuthenticate(list, s_root.Certificate, TrustSetKind.Custom, cache, out var crl, out _)
            ? RevocationJudgement.Of(crl, s_device.Certificate, s_root.Certificate, Forge.Now).State.ToString()
            : null;
}

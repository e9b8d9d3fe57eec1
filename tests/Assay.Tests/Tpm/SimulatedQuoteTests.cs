using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Appraisal.Tpm;
using Assay.Checks;
using Assay.Evidence.Tpm;
using Assay.Reference.Manifest;
using Assay.Simulator;
using Assay.Tests.Properties;
using Assay.Trust;
using Assay.Trust.Tpm;
using Assay.Wire;

namespace Assay.Tests.Tpm;

/// <summary>Quotes of a software key: every scheme, every lie, and the bare key that is never trusted.</summary>
public class SimulatedQuoteTests
{
    private static readonly byte[] s_nonce = [.. Enumerable.Range(0, 32).Select(value => (byte)value)];
    private static readonly ImmutableArray<ReadOnlyMemory<byte>> s_values = [.. Enumerable.Range(0, 24).Select(register => (ReadOnlyMemory<byte>)SHA256.HashData([(byte)register]))];

    public static TheoryData<SimulatedTpmScheme> Schemes => [SimulatedTpmScheme.RsaSsa, SimulatedTpmScheme.RsaPss, SimulatedTpmScheme.EcdsaP256, SimulatedTpmScheme.EcdsaP384];

    [Theory]
    [MemberData(nameof(Schemes))]
    public void A_quote_of_every_scheme_verifies(SimulatedTpmScheme scheme)
    {
        using var tpm = SimulatedTpm.Create(scheme);

        var result = TpmAppraisal.Appraise(Evidence(tpm, [0, 7, 13]), Activated(tpm), Expecting(0, 13), new OperationMeter());

        Assert.True(result.Quote is not null, Failures(result));
        Assert.Equal([0, 7, 13], result.Quote.Registers.Values.Keys);
        Assert.False(result.Quote.Registers.IsInTee);
        Assert.Equal("ek-activated", result.Quote.Key.RootWord);
    }

    [Theory]
    [MemberData(nameof(Schemes))]
    public void A_bare_key_is_refused_although_its_quote_verifies(SimulatedTpmScheme scheme)
    {
        using var tpm = SimulatedTpm.Create(scheme);
        Assert.True(AttestationKey.TryBare(Public(tpm), out var key, out var whyNot), whyNot);

        var result = TpmAppraisal.Appraise(Evidence(tpm, [0]), key, Expecting(0), new OperationMeter());

        Assert.Null(result.Quote);
        Assert.Equal("tpm.ak.root", Failed(result));
        Assert.Equal(CheckState.Held, result.Findings.Single(finding => finding.Id == "tpm.quote.signature.valid").State);
    }

    [Theory]
    [InlineData(0x00040072u, "restricted")]
    [InlineData(0x00010072u, "sign")]
    [InlineData(0x00050070u, "fixedTPM")]
    [InlineData(0x00050062u, "fixedParent")]
    [InlineData(0x00050052u, "sensitiveDataOrigin")]
    [InlineData(0x00070072u, "no decrypt")]
    public void A_key_that_could_sign_a_forged_statement_is_no_attestation_key(uint attributes, string missing)
    {
        using var tpm = SimulatedTpm.Create(SimulatedTpmScheme.EcdsaP256, attributes);

        Assert.False(AttestationKey.TryBare(Public(tpm), out var key, out var whyNot));

        Assert.Null(key);
        Assert.Contains(missing, whyNot, StringComparison.Ordinal);
        Assert.False(AttestationKey.TryActivated(Public(tpm), [], out _, out _));
    }

    [Fact]
    public void What_a_restricted_key_would_never_sign_is_no_quote()
    {
        using var tpm = SimulatedTpm.Create(SimulatedTpmScheme.EcdsaP256);
        var attest = tpm.Attest(s_nonce, s_values, [0]);
        byte[] magic = [0xFF, 0x54, 0x43, 0x48, .. attest[4..]];
        byte[] certify = [.. attest[..4], 0x80, 0x17, .. attest[6..]];

        Assert.Equal("magic", Refused(magic).Field);
        Assert.Equal("type", Refused(certify).Field);
    }

    [Fact]
    public void Selections_that_prove_nothing_are_refused()
    {
        using var tpm = SimulatedTpm.Create(SimulatedTpmScheme.EcdsaP256);
        var attest = tpm.Attest(s_nonce, s_values, [0]);
        var list = attest.Length - 34 - 10;
        byte[] none = [.. attest[..list], 0, 0, 0, 0, .. attest[^34..]];
        byte[] twice = [.. attest[..list], 0, 0, 0, 2, .. attest[(list + 4)..(list + 10)], .. attest[(list + 4)..(list + 10)], .. attest[^34..]];
        byte[] high = [.. attest[..(list + 6)], 4, 1, 0, 0, 1, .. attest[^34..]];

        Assert.Equal("TPML_PCR_SELECTION.count", Refused(none).Field);
        Assert.Equal("pcrSelections.hash", Refused(twice).Field);
        Assert.Equal("pcrSelections.pcrSelect", Refused(high).Field);
        // An empty bitmap is well-formed, and covers nothing.
        var result = TpmAppraisal.Appraise(Evidence(tpm, []), Activated(tpm), Expecting(0), new OperationMeter());
        Assert.Null(result.Quote);
        Assert.Contains("tpm.quote.registers.present", Failed(result), StringComparison.Ordinal);
    }

    [Fact]
    public void Values_that_the_quote_does_not_cover_are_dropped()
    {
        using var tpm = SimulatedTpm.Create(SimulatedTpmScheme.RsaSsa);

        var result = TpmAppraisal.Appraise(Evidence(tpm, [7]), Activated(tpm), Expecting(7), new OperationMeter());

        // The evidence told all 24.
        Assert.Equal([7], result.Quote!.Registers.Values.Keys);
        Assert.Equal("tpm.quote.registers.present", Failed(TpmAppraisal.Appraise(Evidence(tpm, [7]), Activated(tpm), Expecting(7, 13), new OperationMeter())));
    }

    [Fact]
    public void A_quote_under_another_scheme_or_key_is_refused()
    {
        using var tpm = SimulatedTpm.Create(SimulatedTpmScheme.RsaSsa);
        using var other = SimulatedTpm.Create(SimulatedTpmScheme.RsaPss);

        var scheme = TpmAppraisal.Appraise(Evidence(tpm, [0]), Activated(other), Expecting(0), new OperationMeter());
        using var stranger = SimulatedTpm.Create(SimulatedTpmScheme.RsaSsa);
        var key = TpmAppraisal.Appraise(Evidence(tpm, [0]), Activated(stranger), Expecting(0), new OperationMeter());

        Assert.Contains("tpm.quote.signature.valid", Failed(scheme), StringComparison.Ordinal);
        Assert.Contains("RSAPSS", scheme.Findings.Single(finding => finding.Id == "tpm.quote.signature.valid").Expected, StringComparison.Ordinal);
        // The name in the quote is the other key's too.
        Assert.Equal("tpm.quote.signature.valid tpm.quote.signer.match", Failed(key));
    }

    [Fact]
    public void A_reset_in_between_and_a_clock_that_runs_back_are_told()
    {
        using var tpm = SimulatedTpm.Create(SimulatedTpmScheme.EcdsaP256);
        var earlier = new TpmClock(tpm.Clock, tpm.ResetCount, 0, true);

        Assert.NotNull(Next().Quote);
        tpm.Clock -= 1;
        Assert.Equal("tpm.quote.boot.same", Failed(Next()));
        tpm.Clock += 10;
        tpm.ResetCount++;
        Assert.Equal("tpm.quote.boot.same", Failed(Next()));

        TpmResult Next() => TpmAppraisal.Appraise(Evidence(tpm, [0]), Activated(tpm), Expecting(0) with { Earlier = earlier }, new OperationMeter());
    }

    [Fact]
    public void A_quote_without_a_nonce_is_told_apart_and_an_empty_nonce_is_none()
    {
        using var tpm = SimulatedTpm.Create(SimulatedTpmScheme.EcdsaP256);

        var waived = TpmAppraisal.Appraise(Evidence(tpm, [0]), Activated(tpm), Expecting(0) with { QualifyingData = null }, new OperationMeter());
        var empty = TpmAppraisal.Appraise(Evidence(tpm, [0]), Activated(tpm), Expecting(0) with { QualifyingData = ReadOnlyMemory<byte>.Empty }, new OperationMeter());

        Assert.NotNull(waived.Quote);
        Assert.Equal(NotCheckedCause.Waived, waived.Findings.Single(finding => finding.Id == "tpm.quote.nonce.match").Cause);
        Assert.Equal("tpm.quote.nonce.match", Failed(empty));
    }

    [Theory]
    [MemberData(nameof(Schemes))]
    public void A_sample_of_flipped_bits_leaves_no_quote_authentic(SimulatedTpmScheme scheme) => NothingSurvives(scheme, 17);

    [Theory]
    [Trait("Category", "Soak")]
    [MemberData(nameof(Schemes))]
    public void No_flipped_bit_at_all_leaves_a_quote_authentic(SimulatedTpmScheme scheme) => NothingSurvives(scheme, 1);

    [Theory]
    [MemberData(nameof(Schemes))]
    public void Every_flipped_bit_of_a_public_area_is_refused_or_is_another_key(SimulatedTpmScheme scheme)
    {
        using var tpm = SimulatedTpm.Create(scheme);
        var genuine = Public(tpm);
        foreach (var flipped in FlipTests.Flips(tpm.PublicArea(), 1))
        {
            Assert.True(!TpmPublic.TryParse(flipped, out var area, out var fault) || !area.Name.AsSpan().SequenceEqual(genuine.Name));
            Assert.Equal(area is null, fault is not null);
        }
    }

    [Theory]
    [MemberData(nameof(Schemes))]
    public void Every_proper_prefix_and_every_extension_is_refused(SimulatedTpmScheme scheme)
    {
        using var tpm = SimulatedTpm.Create(scheme);
        var attest = tpm.Attest(s_nonce, s_values, [0, 1, 2]);
        var (signature, area) = (tpm.Sign(attest), tpm.PublicArea());

        Assert.All(Enumerable.Range(0, attest.Length), length => Assert.False(TpmQuote.TryParse(attest.AsSpan(0, length), out _, out _)));
        Assert.All(Enumerable.Range(0, signature.Length), length => Assert.False(TpmSignature.TryParse(signature.AsSpan(0, length), out _, out _)));
        Assert.All(Enumerable.Range(0, area.Length), length => Assert.False(TpmPublic.TryParse(area.AsSpan(0, length), out _, out _)));
        Assert.False(TpmQuote.TryParse([.. attest, 0], out _, out _));
        Assert.False(TpmSignature.TryParse([.. signature, 0], out _, out _));
        Assert.False(TpmPublic.TryParse([.. area, 0], out _, out _));
        byte[] sized = [(byte)(area.Length >> 8), (byte)(area.Length & 0xFF), .. area];
        Assert.True(TpmPublic.TryParseSized(sized, out _, out _));
        Assert.False(TpmPublic.TryParseSized([.. sized, 0], out _, out _));
    }

    [Fact]
    public void A_quote_costs_one_signature()
    {
        using var tpm = SimulatedTpm.Create(SimulatedTpmScheme.EcdsaP256);
        var meter = new OperationMeter();

        TpmAppraisal.Appraise(Evidence(tpm, [0]), Activated(tpm), Expecting(0), meter);

        Assert.Equal(1, meter.SignatureVerifications);
    }

    private static void NothingSurvives(SimulatedTpmScheme scheme, int step)
    {
        using var tpm = SimulatedTpm.Create(scheme);
        var (key, expected, genuine) = (Activated(tpm), Expecting(0, 1, 2), Evidence(tpm, [0, 1, 2]));
        Assert.NotNull(TpmAppraisal.Appraise(genuine, key, expected with { QualifyingData = null }, new OperationMeter()).Quote);
        foreach (var flipped in FlipTests.Flips(genuine.Message, step))
        {
            Assert.Null(TpmAppraisal.Appraise(genuine with { Message = flipped }, key, expected with { QualifyingData = null }, new OperationMeter()).Quote);
        }

        foreach (var flipped in FlipTests.Flips(genuine.Signature, step))
        {
            Assert.Null(TpmAppraisal.Appraise(genuine with { Signature = flipped }, key, expected, new OperationMeter()).Quote);
        }
    }

    private static ParseFault Refused(byte[] attest)
    {
        Assert.False(TpmQuote.TryParse(attest, out var quote, out var fault));
        Assert.Null(quote);
        return fault;
    }

    private static TpmPublic Public(SimulatedTpm tpm)
    {
        Assert.True(TpmPublic.TryParse(tpm.PublicArea(), out var area, out var fault), fault?.ToString());
        return area;
    }

    // The simulated key names itself as its own signer, so that is what an activation would have to expect.
    private static AttestationKey Activated(SimulatedTpm tpm)
    {
        Assert.True(AttestationKey.TryActivated(Public(tpm), Public(tpm).Name, out var key, out var whyNot), whyNot);
        return key;
    }

    private static TpmQuoteEvidence Evidence(SimulatedTpm tpm, ImmutableArray<int> selected)
    {
        var attest = tpm.Attest(s_nonce, s_values, selected);
        return new TpmQuoteEvidence
        {
            Message = attest,
            Signature = tpm.Sign(attest),
            SignatureForm = TpmSignatureForm.Tpmt,
            Bank = TcgHash.Sha256,
            Values = s_values.Index().ToImmutableSortedDictionary(item => item.Index, item => new Digest(item.Item.Span)),
        };
    }

    [Fact]
    public void Known_good_registers_are_compared_where_some_are_given()
    {
        using var tpm = SimulatedTpm.Create(SimulatedTpmScheme.RsaSsa);
        var values = s_values.Index().ToImmutableSortedDictionary(item => item.Index, item => new Digest(item.Item.Span));
        var good = new TpmReference { Name = "good", Bank = TcgHash.Sha256, Values = values.Where(item => item.Key is 0 or 7).ToImmutableSortedDictionary() };
        var other = good with { Name = "other", Values = good.Values.SetItem(7, new Digest(new byte[32])) };

        Assert.Equal(("good", CheckState.Held), Answer([good]));
        Assert.Equal(("good", CheckState.Held), Answer([other, good]));
        Assert.Equal(NotCheckedCause.Waived, Judge(null).Findings.Single(finding => finding.Id == "tpm.measurements.match").Cause);

        // An empty list chooses nothing; a register that is not quoted, another bank and an entry without registers match nothing.
        Assert.Contains("other: PCR 7 differs", Answer([other]).Text, StringComparison.Ordinal);
        Assert.Contains("is empty", Answer([]).Text, StringComparison.Ordinal);
        Assert.Contains("PCR 9 differs or is not quoted", Answer([good with { Values = good.Values.Add(9, values[9]) }]).Text, StringComparison.Ordinal);
        Assert.Contains("SHA-384", Answer([good with { Bank = TcgHash.Sha384 }]).Text, StringComparison.Ordinal);
        Assert.Contains("no register", Answer([good with { Values = ImmutableSortedDictionary<int, Digest>.Empty }]).Text, StringComparison.Ordinal);

        // Whatever is refused is no proof of registers, so nothing that builds on them can pass.
        Assert.Null(Judge([other]).Quote);

        TpmResult Judge(ImmutableArray<TpmReference>? references) =>
            TpmAppraisal.Appraise(Evidence(tpm, [0, 7]), Activated(tpm), Expecting(0, 7) with { References = references }, new OperationMeter());

        (string? Text, CheckState State) Answer(ImmutableArray<TpmReference> references)
        {
            var finding = Judge(references).Findings.Single(finding => finding.Id == "tpm.measurements.match");
            return (finding.Reason ?? finding.Found, finding.State);
        }
    }

    private static TpmExpectations Expecting(params ImmutableArray<int> registers) => new() { QualifyingData = s_nonce, Bank = TcgHash.Sha256, Registers = registers, References = null };

    private static string Failed(TpmResult result) => string.Join(' ', result.Findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id));

    private static string Failures(TpmResult result) => string.Join("; ", result.Findings.Where(finding => finding.State is not CheckState.Held).Select(finding => $"{finding.Id}: {finding.Reason} {finding.Found} {finding.Expected}"));
}

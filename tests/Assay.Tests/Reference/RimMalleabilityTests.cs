using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.RegularExpressions;
using Assay.Reference;
using Assay.Trust;

namespace Assay.Tests.Reference;

public class RimMalleabilityTests
{
    // What may be written otherwise without touching what is signed. Whoever adds a leniency adds a line.
    private static readonly Dictionary<string, Func<string, string>> s_ledger = new(StringComparer.Ordinal)
    {
        ["white space after the root"] = text => text + " \t\n",
        ["no line feed at the end"] = text => text.TrimEnd('\n'),
        ["line feeds in an unsigned certificate"] = text => text.With("MIIC", "M\nIIC"),
        ["line feeds in SignatureValue"] = text => text.With("</ds:SignatureValue>", "\n</ds:SignatureValue>"),
        ["the other signature of the same signer (R, n - S)"] = text => Regex.Replace(text, "(?<=<ds:SignatureValue>)[^<]*", match => OtherSignature(match.Value)),
        ["white space between elements of KeyInfo"] = text => text.With("<ds:X509Data>", " \n<ds:X509Data>\t"),
        ["white space between parts of the signature"] = text => text.With("<ds:KeyInfo>", "\n<ds:KeyInfo>"),
        ["white space in a tag"] = text => text.With("corpus=\"false\" ", "corpus=\"false\" \n\t "),
        ["white space before the end of a tag"] = text => text.With("</ns0:Payload>", "</ns0:Payload >").With("size=\"48\"/>", "size=\"48\" />"),
        ["order of attributes"] = text => text.With("corpus=\"false\" name=\"GH100\"", "name=\"GH100\" corpus=\"false\""),
        ["apostrophes as quotation marks"] = text => text.With("corpus=\"false\"", "corpus='false'"),
        ["line feed for a space in a value"] = text => text.With("softwareCreator tagCreator", "softwareCreator\ntagCreator"),
        ["start and end tag for an empty element"] = text => text.With("tagCreator\"/>", "tagCreator\"></ns0:Entity>"),
        ["superfluous namespace declaration"] = text => text.With("<ns0:Entity ", "<ns0:Entity xmlns:ns2=\"http://www.w3.org/2001/04/xmlenc#sha384\" "),
        ["namespace declaration on an unsigned element"] = text => text.With("<ds:KeyInfo>", "<ds:KeyInfo xmlns:a=\"http://www.w3.org/2000/09/xmldsig#\">"),
    };

    private static readonly Dictionary<string, Func<string, string>> s_signed = new(StringComparer.Ordinal)
    {
        ["white space between elements"] = text => text.With("\n    <ns0:Entity", "\n     <ns0:Entity"),
        ["white space before the signature"] = text => text.With("</ns0:Payload>\n", "</ns0:Payload>\n\n"),
        ["white space after the signature"] = text => text.With("</ds:Signature>", "</ds:Signature>\n"),
        ["another prefix"] = text => text.With("<ns0:Entity ", "<Entity "),
        ["unused namespace declaration"] = text => text.With("<ns0:Entity ", "<ns0:Entity xmlns:a=\"http://www.w3.org/2000/09/xmldsig#\" "),
        ["letter case of a hash"] = text => text.With("4a5e4b3d", "4A5e4b3d"),
        ["a tab in a value"] = text => text.With("softwareCreator tagCreator", "softwareCreator  tagCreator"),
    };

    // The order of P-384 (FIPS 186-4 D.1.2.4).
    private static readonly BigInteger s_order = BigInteger.Parse(
        "0FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    public static TheoryData<string> Ledger => [.. s_ledger.Keys];

    public static TheoryData<string> SignedParts => [.. s_signed.Keys];

    [Theory]
    [MemberData(nameof(Ledger))]
    public void What_is_not_signed_may_differ_and_changes_nothing(string name)
    {
        var original = RecordedRimTests.Parse(Recorded.Bytes(RimText.DriverFile));
        var other = s_ledger[name](RimText.Driver);
        Assert.NotEqual(RimText.Driver, other);

        var outcome = AuthenticRim.Authenticate(RecordedRimTests.Parse(Encoding.UTF8.GetBytes(other)), TrustSet.Nvidia, new VerifierCache());

        Assert.True(outcome.Rim is not null, outcome.SignatureFault ?? outcome.ChainFault);
        Assert.Equal(original.DocumentDigest, outcome.Rim.Document.DocumentDigest);
        Assert.NotEqual(original.Content, outcome.Rim.Document.Content);
    }

    [Theory]
    [MemberData(nameof(SignedParts))]
    public void What_is_signed_may_not_differ(string name)
    {
        var outcome = AuthenticRim.Authenticate(RecordedRimTests.Parse(Encoding.UTF8.GetBytes(s_signed[name](RimText.Driver))), TrustSet.Nvidia, new VerifierCache());

        Assert.Null(outcome.Rim);
        Assert.True(outcome.DocumentDigestDiffers);
    }

    [Fact]
    public void White_space_in_SignedInfo_breaks_the_signature_and_not_the_digest()
    {
        var text = RimText.Driver.With("<ds:SignedInfo>", "<ds:SignedInfo>\n");
        var outcome = AuthenticRim.Authenticate(RecordedRimTests.Parse(Encoding.UTF8.GetBytes(text)), TrustSet.Nvidia, new VerifierCache());

        Assert.Null(outcome.Rim);
        Assert.False(outcome.DocumentDigestDiffers);
        Assert.NotNull(outcome.SignatureFault);
    }

    // Both of them sign the same content: a file hash identifies a spelling of a RIM, and DocumentDigest what it says.
    private static string OtherSignature(string base64)
    {
        var signature = Convert.FromBase64String(base64);
        var s = s_order - new BigInteger(signature.AsSpan(48), isUnsigned: true, isBigEndian: true);
        var octets = s.ToByteArray(isUnsigned: true, isBigEndian: true);
        signature.AsSpan(48).Clear();
        octets.CopyTo(signature, 96 - octets.Length);
        return Convert.ToBase64String(signature);
    }

    // The ledger of single bits is empty: none of the classes above is one bit away from a recorded form.
    [Fact]
    public void No_flipped_bit_leaves_a_RIM_authentic()
    {
        const int stride = 97;
        var original = Recorded.Bytes(RimText.DriverFile);
        var cache = new VerifierCache();
        for (var bit = 0; bit < original.Length * 8; bit += stride)
        {
            var flipped = original.ToArray();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            var authentic = RimDocument.TryParse(flipped, out var document, out _) && AuthenticRim.Authenticate(document, TrustSet.Nvidia, cache).Rim is not null;

            Assert.False(authentic, $"bit {bit % 8} of byte {bit / 8}");
        }
    }

    [Fact]
    public void Reading_a_RIM_allocates_little_and_nothing_large()
    {
        // The switch's is the largest recorded.
        var bytes = Recorded.Bytes("nvidia/rims/NV_SWITCH_BIOS_5612_0002_890_9610550001.xml");
        RecordedRimTests.Parse(bytes);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.True(RimDocument.TryParse(bytes, out _, out _));
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        // Less in all than one large object (85,000 bytes), so there is none.
        Assert.InRange(allocated, 1, 60_000);
    }
}

using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Assay.Checks;
using Assay.Evidence.Snp;
using Assay.Reference.Manifest;
using Assay.Tests.Simulator;
using Assay.Tests.Tokens;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Tests.Reference.Manifest;

/// <summary>A manifest with everything in it, its publisher's key, and somebody else's.</summary>
internal static class ManifestWorld
{
    public static DateTimeOffset Now => SimulatorFixture.Now;

    public static EvaluationTime Clock => new(Now, TimeSource.System);

    public static SigningKey Key { get; } = TokenFixture.NewKey(ECCurve.NamedCurves.nistP384);

    public static SigningKey SmallKey { get; } = TokenFixture.NewKey(ECCurve.NamedCurves.nistP256);

    public static SigningKey Stranger { get; } = TokenFixture.NewKey(ECCurve.NamedCurves.nistP384);

    public static JsonWebKeySet Keys { get; } = JsonWebKeySet.Of(Key.PublicKey, SmallKey.PublicKey);

    public static ReferenceManifest Whole { get; } = new()
    {
        ImageName = "trainer",
        ImageVersion = "2026.11.1",
        Sequence = 7,
        NotBefore = new DateTimeOffset(Now.AddDays(-1).Date, TimeSpan.Zero),
        NotAfter = new DateTimeOffset(Now.AddDays(90).Date, TimeSpan.Zero),
        Tdx =
        [
            new TdxReference { Name = "8 GPUs", MrTd = Of(1), Rtmr = [Of(2), Of(3), Of(4), null], MrConfigId = Of(5) },
            new TdxReference { Name = "1 GPU", MrTd = Of(1), Rtmr = [Of(6), Of(3), Of(4), null] },
        ],
        Snp = [new SnpReference { Name = "8 vCPUs", Measurement = Of(7), HostData = Of(8, 32), IdKeyDigest = Of(9) }],
        SnpMinimumTcb = ImmutableDictionary<SnpProduct, SnpTcbParts>.Empty
            .Add(SnpProduct.Milan, new SnpTcbParts(0, 4, 0, 24, 219)).Add(SnpProduct.Turin, new SnpTcbParts(1, 2, 3, 4, 5)),
        Pcrs = [new TpmReference { Name = "uefi", Bank = TcgHash.Sha256, Values = ImmutableSortedDictionary<int, Digest>.Empty.Add(4, Of(10, 32)).Add(11, Of(11, 32)) }],
        GpuPolicies = [Of(12)],
    };

    public static byte[] Signed { get; } = AuthenticReferenceManifest.Write(Whole, Key);

    public static Digest Of(byte value, int size = 48) => new([.. Enumerable.Repeat(value, size)]);

    /// <summary>The values of a manifest that nobody signed.</summary>
    public static ReferenceValues Values(ReferenceManifest manifest) =>
        ReferenceValues.TryRead(manifest.ToCanonicalJson(), null, Clock, 0, out var values, out var findings) ? values : throw new InvalidOperationException(findings.First(finding => finding.State is CheckState.Failed).Reason);

    /// <summary>A JWS with this header and payload under a key, whatever they say.</summary>
    public static byte[] Jws(string header, byte[] payload, SigningKey? key)
    {
        var content = $"{Encode(Encoding.UTF8.GetBytes(header))}.{Encode(payload)}";
        return Encoding.ASCII.GetBytes($"{content}.{Encode(key?.Sign(Encoding.ASCII.GetBytes(content)) ?? [])}");
    }

    public static string Header(SigningKey key, string type = "assay-reference-values", string? algorithm = null) =>
        $$"""{"alg":"{{algorithm ?? key.PublicKey.AlgorithmName}}","kid":"{{key.PublicKey.KeyId}}","typ":"{{type}}"}""";

    /// <summary>The ids that failed, with the reason of the first.</summary>
    public static string Failed(IEnumerable<Finding> findings) =>
        string.Join(' ', findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id));

    public static string Refusal(byte[] file, JsonWebKeySet? keys = null, EvaluationTime? time = null, long minimum = 0)
    {
        Assert.False(AuthenticReferenceManifest.TryAuthenticate(file, keys ?? Keys, time ?? Clock, minimum, out var authentic, out var findings));
        Assert.Null(authentic);
        Assert.Equal(AuthenticReferenceManifest.CheckIds, findings.Select(finding => finding.Id));
        return Failed(findings);
    }

    private static string Encode(byte[] bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);
}

using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Collateral.Files;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Simulator;
using Assay.Tests.Simulator;
using Assay.Tokens;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Tokens;

/// <summary>A simulated machine of two GPUs and a switch, judged once; keys of an issuer, and of somebody else.</summary>
public sealed class TokenFixture : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-tokens-").FullName;

    public TokenFixture()
    {
        using var authority = SimulatedAuthority.Create(Now);
        using var machine = SimulatedMachine.Create(authority, DeviceProfile.Hopper580, DeviceProfile.Ls10, gpus: 2, switches: 1);
        var set = SimulatedSet.Of(authority, machine, SimulatorFixture.Nonce, Now);
        set.Write(_folder);
        Assert.True(TrustSet.TryParse(SimulatedAnchors.ToJson(authority, "tokens"), out var trust, out var fault), fault?.ToString());
        Trust = trust;
        Evidence = [.. Load("gpu_evidence.json"), .. Load("switch_evidence.json")];
        Pass = Judge(Evidence, nonce: true);
        Assert.Equal(VerdictKind.Pass, Pass.Kind);
    }

    public static DateTimeOffset Now => SimulatorFixture.Now;

    public static Nonce Nonce { get; } = Nonce.TryCreate(SimulatorFixture.Nonce, out var nonce) ? nonce : throw new InvalidOperationException();

    public string Folder => _folder;

    public TrustSet Trust { get; }

    public ImmutableArray<DeviceEvidence> Evidence { get; }

    public Verdict Pass { get; }

    public SigningKey Key { get; } = NewKey(ECCurve.NamedCurves.nistP384);

    public SigningKey SmallKey { get; } = NewKey(ECCurve.NamedCurves.nistP256);

    public SigningKey Stranger { get; } = NewKey(ECCurve.NamedCurves.nistP384);

    public SigningKey RsaKey { get; } = NewRsaKey();

    public JsonWebKeySet Keys => JsonWebKeySet.Of(Key.PublicKey, SmallKey.PublicKey, RsaKey.PublicKey);

    public static SigningKey NewKey(ECCurve curve)
    {
        using var ecdsa = ECDsa.Create(curve);
        return SigningKey.TryParse(System.Text.Encoding.ASCII.GetBytes(ecdsa.ExportPkcs8PrivateKeyPem()), out var key, out var fault) ? key : throw new InvalidOperationException(fault.ToString());
    }

    private static SigningKey NewRsaKey()
    {
        using var rsa = RSA.Create(2048);
        return SigningKey.TryParse(System.Text.Encoding.ASCII.GetBytes(rsa.ExportRSAPrivateKeyPem()), out var key, out var fault) ? key : throw new InvalidOperationException(fault.ToString());
    }

    public static TokenIssuer Issuer(string text) => TokenIssuer.TryParse(text, out var issuer, out var fault) ? issuer : throw new InvalidOperationException(fault.ToString());

    public static TokenTerms Terms => new() { Issuer = Issuer("http://127.0.0.1:8443"), IssuedAt = Now };

    public static EatExpectations Expected => new()
    {
        Nonce = Nonce,
        Issuer = "http://127.0.0.1:8443",
        Audience = null,
        Time = new EvaluationTime(Now.AddMinutes(1), TimeSource.System),
        OtherAnchors = [TrustSetKind.Simulated],
        DangerouslyAcceptedWeakenings = DevicesAlone,
    };

    /// <summary>What a verdict about devices alone leaves open, and a reader of its token accepts by name.</summary>
    public static ImmutableArray<string> DevicesAlone { get; } = ["boot-not-expected", "devices-not-expected", "gpu-binding-none", "no-cpu-tee", "processor-not-expected"];

    public Verdict Judge(ImmutableArray<DeviceEvidence> evidence, bool nonce, bool revocation = true, bool rims = true)
    {
        var expected = new DeviceExpectations
        {
            Nonce = nonce ? Nonce : null,
            Basis = new TrustBasis(new EvaluationTime(Now, TimeSource.System), Trust, revocation ? RevocationChecking.Required : RevocationChecking.DangerouslySkipped),
        };
        var appraiser = new Appraiser(rims ? new DirectoryRimStore(Path.Combine(_folder, "rims")) : null, new DirectoryOcspStore(Path.Combine(_folder, "ocsp")), new VerifierCache());
        return DefaultPolicy.Decide(appraiser.AppraiseAsync(evidence, expected, null, CancellationToken.None).GetAwaiter().GetResult());
    }

    public byte[] Bundle(Verdict? verdict = null, TokenTerms? terms = null, SigningKey? key = null)
    {
        Assert.True(EatBundleWriter.TryWrite(verdict ?? Pass, terms ?? Terms, key ?? Key, RandomNumberGenerator.Fill, out var bundle, out var fault), fault?.ToString());
        return bundle;
    }

    public (bool Accepted, ImmutableArray<Finding> Findings) Verify(byte[] bundle, EatExpectations? expected = null, JsonWebKeySet? keys = null)
    {
        var accepted = EatBundleReader.TryVerify(bundle, keys ?? Keys, expected ?? Expected, out var verified, out var findings);
        Assert.Equal(accepted, verified is not null);
        Assert.Equal(EatBundleReader.CheckIds, findings.Select(finding => finding.Id));
        return (accepted, findings);
    }

    /// <summary>Refused, with this finding and no other failed.</summary>
    public Finding Refused(string id, byte[] bundle, EatExpectations? expected = null, JsonWebKeySet? keys = null)
    {
        var (accepted, findings) = Verify(bundle, expected, keys);
        Assert.False(accepted);
        var failed = findings.Where(finding => finding.State is CheckState.Failed).ToArray();
        Assert.Equal([id], failed.Select(finding => finding.Id));
        return failed[0];
    }

    public void Dispose()
    {
        Key.Dispose();
        SmallKey.Dispose();
        Stranger.Dispose();
        RsaKey.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private ImmutableArray<DeviceEvidence> Load(string file)
    {
        Assert.True(EvidenceFile.TryParse(File.ReadAllBytes(Path.Combine(_folder, file)), file, out var devices, out var fault), fault?.ToString());
        return devices;
    }
}

/// <summary>
/// A bundle opened, altered, and closed again by whoever holds the key: digests and signatures are made anew, so that only the alteration
/// itself is left to be found.
/// </summary>
internal sealed class Reforged
{
    private Reforged(EatBundle bundle)
    {
        Overall = Payload(bundle.Overall);
        Submodules = [.. bundle.Submodules.Select(submodule => KeyValuePair.Create(submodule.Key, Payload(submodule.Value)))];
    }

    public JsonObject Overall { get; }

    public List<KeyValuePair<string, JsonObject>> Submodules { get; }

    /// <summary>Changes a header before it is signed; the name is that of the token.</summary>
    public Action<string, JsonObject> Header { get; init; } = (_, _) => { };

    public static byte[] Of(byte[] bundle, SigningKey key, Action<Reforged> alter, Action<string, JsonObject>? header = null, Func<string, string, string>? after = null)
    {
        Assert.True(EatBundle.TryParse(bundle, out var parsed, out var fault), fault?.ToString());
        var open = new Reforged(parsed) { Header = header ?? ((_, _) => { }) };
        alter(open);
        return open.Close(key, after ?? ((_, token) => token));
    }

    public static string Sign(SigningKey key, JsonObject header, string payload)
    {
        var content = $"{Url(header.ToJsonString())}.{Url(payload)}";
        return $"{content}.{System.Buffers.Text.Base64Url.EncodeToString(key.Sign(System.Text.Encoding.ASCII.GetBytes(content)))}";
    }

    public static string Url(string text) => System.Buffers.Text.Base64Url.EncodeToString(System.Text.Encoding.UTF8.GetBytes(text));

    private byte[] Close(SigningKey key, Func<string, string, string> after)
    {
        var digests = Overall["submods"] as JsonObject;
        var tokens = new JsonObject();
        foreach (var (name, payload) in Submodules)
        {
            var token = after(name, Token(name, payload, key));
            tokens[name] = token;
            if (digests?[name] is JsonArray entry)
            {
                entry[1]![1] = Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.ASCII.GetBytes(token)));
            }
        }

        var overall = after("overall", Token("overall", Overall, key));
        return System.Text.Encoding.UTF8.GetBytes(new JsonArray(new JsonArray("JWT", overall), tokens).ToJsonString());
    }

    private string Token(string name, JsonObject payload, SigningKey key)
    {
        var header = new JsonObject { ["alg"] = key.PublicKey.AlgorithmName, ["kid"] = key.PublicKey.KeyId, ["typ"] = "JWT" };
        Header(name, header);
        return Sign(key, header, payload.ToJsonString());
    }

    private static JsonObject Payload(CompactJws jws) => JsonNode.Parse(jws.Payload.GetRawText())!.AsObject();
}

using System.Collections.Immutable;
using System.Text;
using Assay.Evidence;
using Assay.Evidence.Spdm;
using Assay.Reference;
using Assay.Rego;
using Assay.Rego.Values;
using Assay.Simulator;
using Assay.Tests.Properties;
using Assay.Tests.Simulator;
using Assay.Tokens;
using Assay.Trust;
using Assay.Wire;
using OpaqueData = Assay.Evidence.Spdm.OpaqueData;
using SpdmReport = Assay.Evidence.Spdm.SpdmReport;

namespace Assay.Tests.Fuzz;

/// <summary>What a reader made of its input.</summary>
/// <param name="Read">Whether it read it.</param>
/// <param name="FaultTold">Whether it named a fault; null where the reader has none to name.</param>
/// <param name="Value">A text that two equal results share.</param>
internal readonly record struct FuzzAnswer(bool Read, bool? FaultTold, string Value);

/// <summary>One reader of foreign bytes.</summary>
/// <param name="Name">Type and method.</param>
/// <param name="Seeds">Inputs to be mutated; the first of them it reads.</param>
/// <param name="Ask">Gives it one input.</param>
internal sealed record FuzzTarget(string Name, ImmutableArray<byte[]> Seeds, Func<byte[], FuzzAnswer> Ask)
{
    /// <summary>Bytes that may be allocated for each byte of input, and once.</summary>
    public (int PerByte, int Once) Allocation { get; init; } = (64, 64 * 1024);

    public override string ToString() => Name;
}

/// <summary>Every reader of the library, by hand: a test compares this list with the compiled assembly.</summary>
internal static class FuzzTargets
{
    private static readonly Lazy<ImmutableArray<FuzzTarget>> s_all = new(Make);

    public static ImmutableArray<FuzzTarget> All => s_all.Value;

    private static ImmutableArray<FuzzTarget> Make()
    {
        DeviceEvidence[] devices = [Simulated.Gpu, Simulated.Nvdaod, Simulated.Switch];
        byte[][] reports = [.. devices.Select(device => device.Report.ToArray())];
        byte[][] opaque = [.. reports.Select(report => PrefixTests.Opaque(SpdmReport.TryParse(report, out var read, out _) ? read : throw new InvalidOperationException())), []];
        byte[][] chains = [.. devices.Select(device => device.Chain.ToArray())];
        byte[][] certificates = [.. chains.SelectMany(chain => Pem.TryDecode(chain, out var blocks, out _) ? blocks : []).Select(block => block.ToArray())];
        byte[][] leaves = [.. chains.Select(chain => Pem.TryDecode(chain, out var blocks, out _) ? blocks[0].ToArray() : [])];
        byte[][] texts = [Encoding.ASCII.GetBytes(Convert.ToHexStringLower(reports[2])), Encoding.ASCII.GetBytes(Convert.ToBase64String(reports[2])), reports[2]];
        byte[][] nonces = [Encoding.ASCII.GetBytes(new string('a', 64)), Encoding.ASCII.GetBytes("0x" + new string('0', 64))];
        return
        [
            new("SpdmReport.TryParse", [.. reports], input =>
                SpdmReport.TryParse(input, out var report, out var fault) ? Ok(report.Bytes.Span, fault is not null) : Bad(fault)),
            new("OpaqueData.TryParse", [.. opaque], input =>
                OpaqueData.TryParse(input, out var data, out var fault) ? Ok($"{data.Form} {data.Major}.{data.Minor} {Fields(data)}", fault is not null) : Bad(fault)),
            new("DeviceFields.TryReadGpu", [.. opaque[..2]], input =>
                !OpaqueData.TryParse(input, out var data, out var fault) ? Bad(fault)
                : DeviceFields.TryReadGpu(data, out var fields, out fault) ? Ok($"{fields} {string.Join(' ', fields.SwitchPdis)}", fault is not null) : Bad(fault)),
            new("DeviceFields.TryReadSwitch", [opaque[2]], input =>
                !OpaqueData.TryParse(input, out var data, out var fault) ? Bad(fault)
                : DeviceFields.TryReadSwitch(data, out var fields, out fault) ? Ok($"{fields} {string.Join(' ', fields.GpuPdis)}", fault is not null) : Bad(fault)),
            new("Pem.TryDecode", [.. chains], input =>
                Pem.TryDecode(input, out var blocks, out var fault) ? Ok(string.Join(' ', blocks.Select(block => Convert.ToHexString(block.Span))), fault is not null) : Bad(fault))
            { Allocation = (64, 512 * 1024) },
            new("Certificate.TryParse", [.. certificates], input =>
                Certificate.TryParse(input, out var certificate, out var fault) ? Ok($"{certificate.Subject} {certificate.Issuer} {certificate.SerialNumberDecimal} {certificate.NotBefore} {certificate.NotAfter} {certificate.KeyUsage} {certificate.BasicConstraints}", fault is not null) : Bad(fault)),
            new("Fwid.TryRead", [.. leaves], input =>
                !Certificate.TryParse(input, out var certificate, out var fault) ? Bad(fault)
                : Fwid.TryRead(certificate, out var fwid, out var why) ? Ok(fwid.ToString(), why is not null) : new(false, why is not null, why ?? "")),
            new("EvidenceFile.TryParse", [.. EvidenceFiles(devices)], input =>
                EvidenceFile.TryParse(input, "file", out var read, out var fault) ? Ok(string.Join(' ', read.Select(device => $"{device.Source} {device.Report.Length} {device.Chain.Length} {device.DeclaredArchitecture} {device.DeclaredNonce} {device.DeclaredKind}")), fault is not null) : Bad(fault)),
            new("EvidenceText.TryReadReport", [.. texts], input =>
                EvidenceText.TryReadReport(input, out var report, out var fault) ? Ok(report, fault is not null) : Bad(fault)),
            new("TrustSet.TryParse", [Simulated.Anchors], input =>
                TrustSet.TryParse(input, out var set, out var fault) ? Ok($"{set.Kind} {set.Name} {set.Identity}", fault is not null) : Bad(fault))
            { Allocation = (128, 256 * 1024) },
            new("RimDocument.TryParse", [.. Rims()], input =>
                RimDocument.TryParse(input, out var rim, out var fault) ? Ok($"{rim.ColloquialVersion} {rim.Edition} {rim.Product} {rim.Measurements.Length} {rim.MinimumSvns.Length}", fault is not null) : Bad(fault)),
            new("OcspResponse.TryParse", [.. OcspResponses()], input =>
                OcspResponse.TryParse(input, out var response, out var fault) ? Ok($"{response.Status}", fault is not null) : Bad(fault)),
            new("CertificateRevocationList.TryParse", [RevocationList()], input =>
                CertificateRevocationList.TryParse(input, out var list, out var fault) ? Ok($"{list.ThisUpdate} {list.NextUpdate}", fault is not null) : Bad(fault)),
            new("Nonce.TryParse", [.. nonces], input =>
                Nonce.TryParse(Encoding.Latin1.GetString(input), out var nonce, out var fault) ? Ok(nonce.ToString(), fault is not null) : Bad(fault)),
            new("Nonce.TryCreate", [new byte[32]], input => Nonce.TryCreate(input, out var nonce) ? new(true, null, nonce.ToString()) : new(false, null, "")),
            new("StrictBase64.TryDecode", [texts[1]], input => StrictBase64.TryDecode(input, out var bytes) ? new(true, null, Again(input, Convert.ToBase64String(bytes))) : new(false, null, "")),
            new("StrictBase64.TryDecodeUrl", [Encoding.ASCII.GetBytes(System.Buffers.Text.Base64Url.EncodeToString(reports[2]))], input =>
                StrictBase64.TryDecodeUrl(input, out var bytes) ? new(true, null, Again(input, System.Buffers.Text.Base64Url.EncodeToString(bytes))) : new(false, null, "")),
            new("SigningKey.TryParse", [.. PrivateKeys()], input =>
            {
                var read = SigningKey.TryParse(input, out var key, out var fault);
                using (key)
                {
                    return read ? Ok(key!.PublicKey.KeyId, fault is not null) : Bad(fault);
                }
            }),
            new("JsonPolicy.TryParse", [.. Directory.EnumerateFiles(Path.Combine(Repository.Root, "policies"), "*.json").Order(StringComparer.Ordinal).Select(File.ReadAllBytes)], input =>
                Assay.Policy.JsonPolicy.TryParse(input, out var policy, out var fault) ? Ok($"{policy.Named("fuzz").Digest}", fault is not null) : Bad(fault)),
            new("JsonWebKeySet.TryParse", [KeySet()], input =>
                JsonWebKeySet.TryParse(input, out var set, out var fault) ? Ok(string.Join(' ', set.Keys.Select(key => $"{key.KeyId} {key.Thumbprint}")), fault is not null) : Bad(fault)),
            new("CompactJws.TryParse", [Encoding.ASCII.GetBytes(Token())], input =>
                CompactJws.TryParse(Encoding.Latin1.GetString(input), out var jws, out var fault) ? Ok($"{jws.Header} {jws.Payload} {jws.Signature.Length}", fault is not null) : Bad(fault)),
            new("EatBundle.TryParse", [Encoding.ASCII.GetBytes($$"""[["JWT","{{Token()}}"],{"GPU-0":"{{Token()}}"}]""")], input =>
                EatBundle.TryParse(input, out var bundle, out var fault) ? Ok($"{bundle.Overall.Text} {string.Join(' ', bundle.Submodules)}", fault is not null) : Bad(fault)),
            new("TokenIssuer.TryParse", [Encoding.ASCII.GetBytes("https://verifier.example:8443/tenant"), Encoding.ASCII.GetBytes("http://127.0.0.1")], input =>
                TokenIssuer.TryParse(Encoding.Latin1.GetString(input), out var issuer, out var fault) ? Ok($"{issuer}", fault is not null) : Bad(fault)),
            new("Hex.TryDecode", [texts[0]], input => Hex.TryDecode(Encoding.Latin1.GetString(input), out var bytes) ? new(true, null, Convert.ToHexString(bytes)) : new(false, null, "")),
            new("DerReader", [.. certificates, .. OcspResponses()], Walk),
            new("RegoModule.TryParse", [.. Policies()], input =>
                RegoModule.TryParse("fuzz.rego", Encoding.UTF8.GetString(input), out var module, out var error) ? Ok(module.Print(), error is not null) : new(false, error is { Location: not null }, error?.ToDisplay() ?? ""))
            { Allocation = (4096, 512 * 1024) },
            new("RegoJson.TryRead", [.. EvidenceFiles(devices), .. Policies().Select(source => Encoding.UTF8.GetBytes(new RegoString(Encoding.UTF8.GetString(source)).ToJson())), Simulated.Anchors], input =>
                RegoJson.TryRead(input, out var value, out var problem) ? Ok(value.ToJson(), problem is not null) : new(false, problem is not null, problem ?? ""))
            { Allocation = (512, 256 * 1024) },
            new("RegoNumber.TryParse", [.. ((string[])["0", "-12.5e3", "123456789012345678901234567890", "1e-300"]).Select(Encoding.ASCII.GetBytes)], input =>
                RegoNumber.TryParse(Encoding.Latin1.GetString(input), out var number) ? new(true, null, $"{number} {number.GetHashCode()}") : new(false, null, ""))
            { Allocation = (1024, 512 * 1024) },
            new("StrictJson.Read", [.. EvidenceFiles(devices), Simulated.Anchors], input =>
            {
                using var document = StrictJson.Read(input, out var fault);
                return document is null ? Bad(fault) : Ok(document.RootElement.GetRawText().Length.ToString(System.Globalization.CultureInfo.InvariantCulture), fault is not null);
            }),
        ];
    }

    // Canonical forms have one spelling: what was read, written again, is what was read.
    private static string Again(byte[] input, string again)
    {
        Assert.Equal(again, Encoding.Latin1.GetString(input));
        return again;
    }

    private static FuzzAnswer Ok(string value, bool faultToo) => new(true, faultToo, value);

    private static FuzzAnswer Ok(ReadOnlySpan<byte> value, bool faultToo) => new(true, faultToo, Convert.ToHexString(value));

    private static FuzzAnswer Bad(ParseFault? fault) => new(false, fault is not null, fault?.ToString() ?? "");

    private static string Fields(OpaqueData data) => string.Join(' ', data.Fields.Select(field => $"{field.Type}:{field.ValueType}:{Convert.ToHexString(field.Data.Span)}"));

    /// <summary>Every kind of element, nested as deep as the bytes go: the reader itself recurses nowhere.</summary>
    private static FuzzAnswer Walk(byte[] input)
    {
        var faults = new DerFaults();
        var reader = new DerReader(input, faults);
        var seen = 0;
        Walk(ref reader, 0, ref seen);
        reader.End("input");
        return faults.First is { } fault ? Bad(fault) : Ok($"{seen}", false);
    }

    private static void Walk(ref DerReader reader, int depth, ref int seen)
    {
        while (reader.HasMore)
        {
            seen++;
            switch (reader.PeekTag())
            {
                case DerTag.Boolean: reader.Boolean("boolean"); break;
                case DerTag.Integer: reader.Integer("integer"); break;
                case DerTag.BitString when depth % 2 == 0: reader.WholeBitString("bits"); break;
                case DerTag.BitString: reader.NamedBits("bits"); break;
                case DerTag.ObjectIdentifier: reader.Oid("oid"); break;
                case DerTag.Null: reader.Null("null"); break;
                case DerTag.UtcTime or DerTag.GeneralizedTime: X509Time.Read(ref reader, "time"); break;
                case var tag when (tag & 0x20) != 0 && depth < 32:
                    var nested = reader.Nested(tag, "nested");
                    Walk(ref nested, depth + 1, ref seen);
                    nested.End("nested");
                    break;
                default: reader.AnyElement("element"); break;
            }
        }
    }

    private static IEnumerable<byte[]> Policies() =>
        ((string[])[
            "package a.b\n\nimport data.x as y\n\n# METADATA\n# title: t\ndefault allow := false\n\nallow if {\n\tsome k, v in input.m\n\tnot y[k] == v\n\tevery e in v { e > 1.5e3 }\n} else := true if $\"a{k}\" == `r`\n",
            "package a\n\np[x].q contains y if { [x, {\"k\": y}] = input.z with input as {1, 2} with count as f; z := {a: b | b := input[a]} }\n\nf(x, _) := x[\"\\u00e9\"] | {1} & set()\n",
            "package old\n\nallow { input.x[_] == \"y\" }\n\ndeny[msg] { msg = sprintf(\"%v\", [input]) }\n",
        ]).Select(Encoding.UTF8.GetBytes);

    private static IEnumerable<byte[]> EvidenceFiles(DeviceEvidence[] devices)
    {
        yield return Simulated.EvidenceJson(devices[2]);
        var (report, chain) = (devices[2].Report.ToArray(), devices[2].Chain.ToArray());
        var (report64, chain64) = (Convert.ToBase64String(report), Convert.ToBase64String(chain));
        var nonce = Convert.ToHexStringLower(SimulatorFixture.Nonce);
        yield return Encoding.UTF8.GetBytes($$"""{"version":1,"nonce":"{{nonce}}","gpus":[],"switches":[{"arch":"LS\u0031\u0030","evidence":"{{report64}}","certificate":"{{chain64}}"}]}""");
        yield return Encoding.UTF8.GetBytes($$"""{"result_code":0,"evidences":[{"arch":"LS10","nonce":"{{nonce}}","evidence":"{{report64}}","certificate":"{{chain64}}"}]}""");
        var url = (byte[] bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);
        yield return Encoding.UTF8.GetBytes($$"""
            {"__cmwc_t":"tag:nvidia.com,2026:verifier-input/profiles/base/pre-1.0.0","nonce":["application/octet-stream","{{url(SimulatorFixture.Nonce)}}"],
            "switch-0":{"__cmwc_t":"tag:nvidia.com,2026:evidence-item/v1","evidence":["application/vnd.nvidia.spdm-measurement-transcript","{{url(report)}}"],
            "certificate":["application/vnd.nvidia.pem-cert-chain","{{url(chain)}}"] }
            }
            """);
    }

    private static IEnumerable<byte[]> Rims()
    {
        var signer = Simulated.Authority.IssueRimSigner(DeviceFamily.Hopper);
        return RimDraft.For(DeviceProfile.HopperNvdaod).Select(draft => SimulatedRim.Sign(draft, signer).Xml.ToArray());
    }

    private static IEnumerable<byte[]> OcspResponses()
    {
        using var device = SimulatedDevice.Create(Simulated.Authority, DeviceProfile.Ls10);
        return [.. SimulatedSet.Of(Simulated.Authority, device, SimulatorFixture.Nonce, SimulatorFixture.Now).Ocsp.Values.Take(3).Select(response => response.ToArray())];
    }

    // Always the same keys: a failure names a seed, and the seed repeats it.
    private const string PrivateKey = """
        -----BEGIN PRIVATE KEY-----
        MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDA7EGG6fUCgC5zMybrP
        vszNOfbLwLMWJadYfkpVp9DpKGxEfoI0MfyvEaWmO5tYSBuhZANiAARkq/6VQoU+
        0noZ2EvsR4e5VYGgI6iCd0t/v7ci7uDKowM3Txh2k4pHAD7SYNi7jceDmJmfCUNb
        A30RSH4JMXzW+sbm6KhsU0127VG/u2FFzk0QCNfQ25vQ5LnK5B/c3lQ=
        -----END PRIVATE KEY-----
        """;

    private const string SmallPrivateKey = """
        -----BEGIN EC PRIVATE KEY-----
        MHcCAQEEIHYAeExULEt2qr57y1hrnbJ5MImuLNre0da+//VOZRmnoAoGCCqGSM49
        AwEHoUQDQgAE7qTJ4nyM+aMlShYx1VknT6FweTQyT6g7ajCuDqKzrJvn57+TvliU
        Wd900BTcD/Olqwl+8hgCfXOTMx9sgYyJDQ==
        -----END EC PRIVATE KEY-----
        """;

    private static IEnumerable<byte[]> PrivateKeys() => [Encoding.ASCII.GetBytes(PrivateKey), Encoding.ASCII.GetBytes(SmallPrivateKey)];

    private static byte[] KeySet()
    {
        var keys = PrivateKeys().Select(pem => SigningKey.TryParse(pem, out var key, out var fault) ? key : throw new InvalidOperationException(fault.ToString())).ToArray();
        return JsonWebKeySet.Of(keys.Select(key => key.PublicKey)).ToJson();
    }

    private static string Token() =>
        $"{Assay.Tests.Tokens.Reforged.Url("""{"alg":"ES384","kid":"k","typ":"JWT"}""")}.{Assay.Tests.Tokens.Reforged.Url("""{"iss":"https://verifier.example","exp":1}""")}.{new string('A', 128)}";

    private static byte[] RevocationList()
    {
        var root = Trust.Revocation.Identity.Root("fuzz");
        return Trust.Revocation.Forge.Encode(new Trust.Revocation.RevokedList(root) { Entries = [([1, 2], 6, []), ([3], null, [])] });
    }
}

using System.Collections.Immutable;
using System.Text;
using Assay.Binding;
using Assay.Endorsements;
using Assay.Evidence.EventLogs;
using Assay.Evidence.Files;
using Assay.Evidence.Snp;
using Assay.Evidence.Spdm;
using Assay.Evidence.Tdx;
using Assay.Log;
using Assay.Reference;
using Assay.Reference.Intel;
using Assay.Reference.Manifest;
using Assay.Rego;
using Assay.Rego.Values;
using Assay.Simulator;
using Assay.Tests.Cpu;
using Assay.Tests.Properties;
using Assay.Tests.Simulator;
using Assay.Tokens;
using Assay.Tokens.Clouds;
using Assay.Trust;
using Assay.Trust.Amd;
using Assay.Trust.Intel;
using Assay.Trust.Jose;
using Assay.Trust.Revocation;
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
            .. LogTargets(),
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
            new("OcspQuestion.TryParse", [.. OcspQuestions()], input =>
                OcspQuestion.TryParse(input, out var question, out var fault) ? Ok($"{string.Join(' ', question.CertIds.Select(id => $"{id.IssuerName} {Convert.ToHexString(id.SerialNumber.Span)}"))} {Convert.ToHexString(question.Nonce.GetValueOrDefault().Span)}", fault is not null) : Bad(fault)),
            new("RimIds.TryParse", [.. ((string[])["NV_GPU_DRIVER_GH100_545.00", "NV_GPU_VBIOS_1010_0200_882_96005E0001", "NV_SWITCH_BIOS_5612_0002_890_9610550001"]).Select(Encoding.ASCII.GetBytes)], input =>
                Assay.Reference.RimIds.TryParse(Encoding.Latin1.GetString(input), out var id) ? Ok($"{id}", false) : Bad(new Assay.Wire.ParseFault("RIM id", 0, "of no model"))),
            new("ItemRank.TryParse", [.. ((string[])["17|1700000000|", "|1700000000|revoked", "|-62135596800|"]).Select(Encoding.ASCII.GetBytes)], input =>
                Assay.Endorsements.ItemRank.TryParse(Encoding.Latin1.GetString(input), out var rank, out var fault) ? Ok($"{rank}", fault is not null) : Bad(fault)),
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
            new("IssuerMetadata.TryParse", ["""{"issuer":"https://verifier.example","jwks_uri":"https://verifier.example/jwks.json","response_types_supported":["id_token"]}"""u8.ToArray()], input =>
                IssuerMetadata.TryParse(input, "https://verifier.example", out var metadata, out var fault) ? Ok($"{metadata.Issuer} {metadata.KeySetUrl}", fault is not null) : Bad(fault)),
            new("ReferenceManifest.TryParse", [Reference.Manifest.ManifestWorld.Whole.ToCanonicalJson()], input =>
                ReferenceManifest.TryParse(input, out var manifest, out var fault) ? Ok(manifest.ToCanonicalJson(), fault is not null) : Bad(fault))
            { Allocation = (256, 256 * 1024) },
            new("ReferenceValues.TryRead", [Reference.Manifest.ManifestWorld.Signed], input =>
                ReferenceValues.TryRead(input, Reference.Manifest.ManifestWorld.Keys, Reference.Manifest.ManifestWorld.Clock, 0, out var values, out var findings)
                    ? new(true, null, Convert.ToHexString(values.Manifest.ToCanonicalJson())) : new(false, null, string.Join(' ', findings.Select(finding => finding.State))))
            { Allocation = (256, 256 * 1024) },
            new("BundleManifest.TryParse", [BundleManifestBytes()], input =>
                BundleManifest.TryParse(input, out var manifest, out var fault) ? Ok(Again(input, Encoding.UTF8.GetString(manifest.ToBytes())), fault is not null) : Bad(fault))
            { Allocation = (256, 256 * 1024) },
            new("CollateralBundle.TryParse", [BundleBytes()], input =>
                CollateralBundle.TryParse(input, out var bundle, out var fault) ? Ok($"{bundle.Digest} {string.Join(' ', bundle.KeyIds)} {bundle.Items.Count()}", fault is not null) : Bad(fault))
            { Allocation = (256, 256 * 1024) },
            new("KeySetItem.TryRead", [KeySet()], input =>
                KeySetItem.TryRead("issuer", input, out var item, out var fault) ? Ok(item.Body.Span, fault is not null) : new(false, fault is not null, $"{fault}")),
            new("CompactJws.TryParse", [Encoding.ASCII.GetBytes(Token())], input =>
                CompactJws.TryParse(Encoding.Latin1.GetString(input), out var jws, out var fault) ? Ok($"{jws.Header} {jws.Payload} {jws.Signature.Length}", fault is not null) : Bad(fault)),
            new("EatBundle.TryParse", [Encoding.ASCII.GetBytes($$"""[["JWT","{{Token()}}"],{"GPU-0":"{{Token()}}"}]""")], input =>
                EatBundle.TryParse(input, out var bundle, out var fault) ? Ok($"{bundle.Overall.Text} {string.Join(' ', bundle.Submodules)}", fault is not null) : Bad(fault)),
            new("SubjectTemplate.TryParse", [Encoding.ASCII.GetBytes("gpu:{gpu}:policy:{policy}:{verdict}"), Encoding.ASCII.GetBytes("{policy}")], input =>
                SubjectTemplate.TryParse(Encoding.Latin1.GetString(input), out var template, out var fault) ? Ok(template.Text, fault is not null) : Bad(fault)),
            new("TokenIssuer.TryParse", [Encoding.ASCII.GetBytes("https://verifier.example:8443/tenant"), Encoding.ASCII.GetBytes("http://127.0.0.1")], input =>
                TokenIssuer.TryParse(Encoding.Latin1.GetString(input), out var issuer, out var fault) ? Ok($"{issuer}", fault is not null) : Bad(fault)),
            .. Processors(),
            .. BootTargets(),
            .. ChannelTargets(),
            new("FileText.TryDecode", [texts[0], texts[1]], input => FileText.TryDecode(input, out var bytes) ? new(true, null, Convert.ToHexString(bytes)) : new(false, null, "")),
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

    private static readonly Collateral.BundleForge s_forge = new()
    {
        Items = [(new Assay.Endorsements.CollateralKey(Assay.Endorsements.CollateralKind.Rim, "A"), [], [1, 2, 3]), (new Assay.Endorsements.CollateralKey(Assay.Endorsements.CollateralKind.PckCrl, "platform"), [9], [4])],
        Created = DateTimeOffset.UnixEpoch,
        GoodUntil = DateTimeOffset.UnixEpoch.AddDays(1),
        Marks = [("rim:A", "|5|"), ("ocsp:b", "7|6|revoked")],
    };

    private static byte[] BundleBytes() => s_forge.Write(Collateral.ForgeKey.New("site"));

    private static byte[] BundleManifestBytes()
    {
        var file = BundleBytes();
        var length = System.Buffers.Binary.BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(13));
        return file[17..(17 + length)];
    }

    private static IEnumerable<FuzzTarget> Processors()
    {
        var (tdx10, tdx15) = (SimulatedCpu.Tdx(4, false), SimulatedCpu.Tdx(5, true));
        var snp = new[] { SimulatedCpu.Snp(SnpLine.Milan, 2, false), SimulatedCpu.Snp(SnpLine.Turin, 5, true) };
        // 1,024 bytes: a MAC structure of type 0x81, the rest zero but for the registers' places.
        var tdReport = new byte[TdReport.Size];
        (tdReport[0], tdReport[255], tdReport[256]) = (0x81, 0, 0xFF);
        var zeros = new string('0', 96);
        byte[] tcbInfo = Encoding.ASCII.GetBytes($$"""{"mrtd":"{{zeros}}","rtmr0":"{{zeros}}","rtmr1":"{{zeros}}","rtmr2":"{{zeros}}","rtmr3":"{{zeros}}","event_log":{{Encoding.UTF8.GetString(SimulatedBoot.Create(Boot.BootWorld.Plan).JsonLog())}}}""");
        byte[] pck = TdxQuote.TryParse(tdx10.Quote, out var quote, out _) && Pem.TryDecode(quote.PckChain.Span, out var blocks, out _) ? blocks[0].ToArray() : [];
        byte[][] endorsements = [.. snp.Select(judged => judged.Collateral.Certificates[2].ToArray())];
        var info = tdx10.Collateral.TcbInfo!;
        var body = Encoding.UTF8.GetBytes($$"""{"tcbInfo":{{Encoding.UTF8.GetString(info.Content.Span)}},"signature":"{{Convert.ToHexStringLower(info.Signature.Span)}}"}""");
        byte[] file = SimulatedTdx.Create(SimulatedCpu.Intel, 4, is15: false, SimulatedCpu.Data).Collateral;
        return
        [
            new("TdxQuote.TryParse", [tdx10.Quote, tdx15.Quote], input =>
                TdxQuote.TryParse(input, out var read, out var fault) ? Ok($"{Convert.ToHexString(read.Bytes.Span)} {read.Version}", fault is not null) : Bad(fault)),
            new("PckPlatform.TryRead", [pck], input =>
                !Certificate.TryParse(input, out var certificate, out var fault) ? Bad(fault)
                : PckPlatform.TryRead(certificate, out var platform, out var why) ? Ok($"{platform.Fmspc} {platform.PceId} {platform.PceSvn} {Convert.ToHexString(platform.CpuSvn.Span)}", why is not null) : new(false, why is not null, why ?? "")),
            new("TcbInfo.TryParse", [info.Content.ToArray()], input =>
                TcbInfo.TryParse(input, out var read, out var fault) ? Ok($"{read.Fmspc} {read.PceId} {read.IssueDate} {read.NextUpdate} {read.EvaluationDataNumber} {read.Levels.Length} {read.ModuleIdentities.Length}", fault is not null) : Bad(fault))
            { Allocation = (256, 256 * 1024) },
            new("StatementHead.TryParse", [info.Content.ToArray()], input =>
                StatementHead.TryParse(input, IntelStatementKind.TcbInfo, out var read, out var fault) ? Ok($"{read}", fault is not null) : Bad(fault))
            { Allocation = (256, 128 * 1024) },
            new("QeIdentity.TryParse", [tdx10.Collateral.QeIdentity!.Content.ToArray()], input =>
                QeIdentity.TryParse(input, out var read, out var fault) ? Ok($"{read.IssueDate} {read.NextUpdate} {read.MrSigner} {read.IsvProdId} {read.Levels.Length}", fault is not null) : Bad(fault))
            { Allocation = (256, 256 * 1024) },
            new("IntelStatement.TryParseBody", [body], input =>
                IntelStatement.TryParseBody(input, default, IntelStatementKind.TcbInfo, out var read, out var fault) ? Ok(read.Content.Span, fault is not null) : Bad(fault))
            { Allocation = (256, 256 * 1024) },
            new("TdxCollateral.TryParse", [file], input =>
                TdxCollateral.TryParse(input, out var read, out var fault) ? Ok($"{read.TcbInfo!.Identity} {read.QeIdentity!.Identity} {read.PckCrl!.Value.Length} {read.RootCrl!.Value.Length}", fault is not null) : Bad(fault))
            { Allocation = (256, 256 * 1024) },
            new("ProcessorEvidence.TryParse", [tdx10.Quote, snp[0].Report, AzureJson(), Encoding.UTF8.GetBytes($$"""{"quote":"{{Convert.ToHexStringLower(tdx10.Quote)}}","event_log":"[]"}""")], input =>
                ProcessorEvidence.TryParse(input, "file", out var read, out var fault) ? Ok($"{read.Kind} {Convert.ToHexString(read.Bytes.Span)} {read.EventLog?.Length}", fault is not null) : Bad(fault)),
            new("KbsEvidence.TryRead", [BrokerJson(tdx10.Quote)], input =>
                KbsEvidence.TryRead(input, out var read, out var fault) ? Ok($"{read.Devices.Length} {read.Cpu?.Kind} {read.Key?.Length} {read.StatedNonce}", fault is not null) : Bad(fault)),
            new("KbsEvidence.TryReadSample", [SampleJson()], input =>
                KbsEvidence.TryReadSample(input, out var read, out var fault) ? Ok($"{read.Devices.Length} {read.Cpu?.Kind} {read.Key?.Length} {read.StatedNonce}", fault is not null) : Bad(fault)),
            new("MachineEvidence.TryParse", [MachineJson(tdx10.Quote), BrokerJson(tdx10.Quote)], input =>
                MachineEvidence.TryParse(input, "file", out var read, out var fault)
                    ? Ok($"{read.Devices.Length} {read.Cpu?.Kind} {read.Cpu?.EventLog?.Length} {read.Key?.Length} {read.StatedNonce}", fault is not null) : Bad(fault)),
            new("TdReport.TryParse", [tdReport], input =>
                TdReport.TryParse(input, out var read, out var fault) ? Ok($"{read.Body.MrTd} {read.Body.ReportData}", fault is not null) : Bad(fault)),
            new("DstackTcbInfo.TryParse", [tcbInfo], input =>
                DstackTcbInfo.TryParse(input, out var read, out var fault) ? Ok($"{read.MrTd} {read.Rtmr[3]} {read.Log.Events.Length}", fault is not null) : Bad(fault))
            { Allocation = (512, 256 * 1024) },
            new("SnpReport.TryParse", [.. snp.Select(judged => judged.Report)], input =>
                SnpReport.TryParse(input, out var read, out var fault) ? Ok(read.Bytes.Span, fault is not null) : Bad(fault)),
            new("SnpEndorsement.TryRead", [.. endorsements], input =>
                !Certificate.TryParse(input, out var certificate, out var fault) ? Bad(fault)
                : SnpEndorsement.TryRead(certificate, out var read, out var why) ? Ok($"{read.Kind} {read.ProductName} {read.Tcb} {read.ChipId} {read.CloudProvider}", why is not null) : new(false, why is not null, why ?? "")),
            new("SnpCollateral.TryReadCertificates", [endorsements[0], Encoding.ASCII.GetBytes(System.Security.Cryptography.PemEncoding.WriteString("CERTIFICATE", endorsements[0]) + "\n")], input =>
                SnpCollateral.TryReadCertificates(input, out var read, out var fault) ? Ok(string.Join(' ', read.Select(der => Convert.ToHexString(der.Span))), fault is not null) : Bad(fault)),
            new("SnpCertificateTable.TryParse", [Table(endorsements)], input =>
                SnpCertificateTable.TryParse(input, out var read, out var fault) ? Ok(string.Join(' ', read.Select(der => Convert.ToHexString(der.Span))), fault is not null) : Bad(fault)),
            new("ReportData.TryCreate", [SimulatedCpu.Data], input => ReportData.TryCreate(input, out var data) ? new(true, null, data.ToString()) : new(false, null, "")),
        ];
    }

    /// <summary>A table as hosts hand it out: the entries of VCEK and VLEK, a zero entry, and the certificates.</summary>
    internal static byte[] Table(byte[][] certificates)
    {
        byte[][] names = [Convert.FromHexString("63da758de6644564adc5f4b93be8accd"), Convert.FromHexString("a8074bc2a25a483eaae639c045a0b8a1")];
        var offset = 24 * 3;
        return
        [
            .. names[0], .. BitConverter.GetBytes(offset), .. BitConverter.GetBytes(certificates[0].Length),
            .. names[1], .. BitConverter.GetBytes(offset + certificates[0].Length), .. BitConverter.GetBytes(certificates[1].Length),
            .. new byte[24], .. certificates[0], .. certificates[1],
        ];
    }

    private static IEnumerable<FuzzTarget> BootTargets()
    {
        var boot = SimulatedBoot.Create(Boot.BootWorld.Plan);
        var old = SimulatedBoot.Create(Boot.BootWorld.Plan with { EventVersion = 1, OnDstack = true });
        byte[][] logs = [boot.JsonLog(), old.JsonLog(), boot.JsonPcrLog(), boot.CcelLog()[..4096], boot.TcgLog(3), boot.LegacyLog()];
        var variable = Boot.BootWorld.Read(boot.TcgLog()).Events[0].Data.ToArray();
        using var rsa = SimulatedTpm.Create(SimulatedTpmScheme.RsaSsa);
        using var ecdsa = SimulatedTpm.Create(SimulatedTpmScheme.EcdsaP384);
        var attest = rsa.Attest(new byte[32], boot.Pcrs, [0, 7, 13]);
        byte[][] areas = [rsa.PublicArea(), ecdsa.PublicArea()];
        var key = Encoding.UTF8.GetBytes("""{"crv":"P-256","kty":"EC","x":"AA","y":"AQ"}""");
        byte[][] payloads = [Boot.BootWorld.Read(boot.JsonLog()).Events.Single(item => item.Name == "gpu-attestation").Data.ToArray()];
        yield return new("EventLog.TryParse", [.. logs], input =>
            Assay.Evidence.EventLogs.EventLog.TryParse(input, out var log, out var fault) ? Ok($"{log.Form} {log.Events.Length} {string.Join(' ', log.Banks.Select(bank => string.Join(' ', log.Replay(bank).Select(item => $"{item.Key}:{item.Value}"))))}", fault is not null) : Bad(fault))
        { Allocation = (128, 512 * 1024) };
        yield return new("UefiVariable.TryParse", [variable], input =>
            Assay.Evidence.EventLogs.UefiVariable.TryParse(input, out var read, out var fault) ? Ok($"{read.Vendor} {read.Name} {read.Data.Length}", fault is not null) : Bad(fault));
        yield return new("TpmQuote.TryParse", [attest, ecdsa.Attest([], boot.Pcrs, [0])], input =>
            Assay.Evidence.Tpm.TpmQuote.TryParse(input, out var quote, out var fault) ? Ok(quote.Bytes.Span, fault is not null) : Bad(fault));
        yield return new("TpmSignature.TryParse", [rsa.Sign(attest), ecdsa.Sign(attest)], input =>
            Assay.Evidence.Tpm.TpmSignature.TryParse(input, out var signature, out var fault) ? Ok($"{signature.Scheme} {signature.First.Length} {signature.Second.Length}", fault is not null) : Bad(fault));
        yield return new("TpmPublic.TryParse", [.. areas], input =>
            Assay.Evidence.Tpm.TpmPublic.TryParse(input, out var area, out var fault) ? Ok(area.Name, fault is not null) : Bad(fault));
        yield return new("TpmPublic.TryParseSized", [.. areas.Select(area => (byte[])[(byte)(area.Length >> 8), (byte)(area.Length & 0xFF), .. area])], input =>
            Assay.Evidence.Tpm.TpmPublic.TryParseSized(input, out var area, out var fault) ? Ok(area.Name, fault is not null) : Bad(fault));
        yield return new("HclReport.TryParse", [HclBytes()], input =>
            Assay.Evidence.Tpm.HclReport.TryParse(input, out var report, out var fault) ? Ok(report.ExpectedReportData(), fault is not null) : Bad(fault));
        yield return new("AzureVtpmEvidence.TryParse", [AzureJson()], input =>
            Assay.Evidence.Tpm.AzureVtpmEvidence.TryParse(input, out var evidence, out var fault) ? Ok($"{evidence.HclReport.Length} {evidence.Quote.Message.Length} {evidence.Vcek?.Length} {evidence.TdQuote?.Length}", fault is not null) : Bad(fault));
        yield return new("KeyBinding.TryCreate", [key], input =>
            Assay.Binding.KeyBinding.TryCreate("nonce", input, out var binding, out var fault) ? Ok($"{binding.DeviceNonce()} {binding.Thumbprint}", fault is not null) : Bad(fault));
        yield return new("CanonicalJson.TryRead", [payloads[0], key], input =>
        {
            var read = CanonicalJson.TryRead(input, out var document, out var fault);
            using (document)
            {
                return read ? Ok(CanonicalJson.Write(document!.RootElement), fault is not null) : Bad(fault);
            }
        });
        yield return new("BootEventPayload.Read", [.. payloads], input =>
            Assay.Binding.BootEventPayload.Read("gpu-attestation", input, out var fault) is { } payload ? Ok(payload.ToBytes(), fault is not null) : Bad(fault));
    }

    // Of what the other end of a channel sends, the published vectors that are read.
    private static IEnumerable<FuzzTarget> ChannelTargets()
    {
        static byte[][] Sound(string file, Func<System.Text.Json.JsonElement, byte[]> bytes)
        {
            using var published = System.Text.Json.JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Repository.Root, "vectors", "channels", file)));
            return [.. published.RootElement.GetProperty("vectors").EnumerateArray().Where(vector => !vector.GetProperty("expect").TryGetProperty("fault", out _)).Select(bytes)];
        }

        var certificates = Sound("certificates.json", vector => vector.GetProperty("certificate").GetBytesFromBase64());
        byte[][] statements = [.. certificates.Select(der => Assay.Channels.ChannelCertificate.TryRead(der, out var read, out _) ? read.Statement?.ToJson() : null).OfType<byte[]>()];
        yield return new("ChannelMessage.TryParse", [.. Sound("messages.json", vector => Encoding.UTF8.GetBytes(vector.GetProperty("message").GetString()!))], input =>
            Assay.Channels.ChannelMessage.TryParse(input, out var message, out var fault) ? Ok(message.ToJson(), fault is not null) : Bad(fault))
        { Allocation = (128, 128 * 1024) };
        yield return new("ChannelStatement.TryParse", [.. statements], input =>
            Assay.Channels.ChannelStatement.TryParse(input, out var statement, out var fault) ? Ok(statement.ToJson(), fault is not null) : Bad(fault))
        { Allocation = (128, 128 * 1024) };
        yield return new("ChannelCertificate.TryRead", [.. certificates], input =>
            Assay.Channels.ChannelCertificate.TryRead(input, out var certificate, out var fault)
                ? Ok($"{Encoding.UTF8.GetString(certificate.Jwk.Span)} {certificate.NotBefore} {certificate.NotAfter} {certificate.Statement?.Quote.Length}", fault is not null) : Bad(fault))
        { Allocation = (128, 256 * 1024) };
    }

    /// <summary>An HCL report of our own making: the header, a hardware report of zeros, and runtime data with one key.</summary>
    private static byte[] HclBytes()
    {
        var modulus = System.Buffers.Text.Base64Url.EncodeToString([0xC0, .. Enumerable.Repeat((byte)0x55, 255)]);
        var runtime = Encoding.UTF8.GetBytes($$"""{"keys":[{"kid":"HCLAkPub","key_ops":["sign"],"kty":"RSA","e":"AQAB","n":"{{modulus}}"}],"vm-configuration":{"secure-boot":true},"user-data":"{{new string('0', 128)}}"}""");
        var bytes = new byte[1236 + runtime.Length + 16];
        "HCLA"u8.CopyTo(bytes);
        foreach (var (offset, value) in new[] { (4, 1), (8, 1236 + runtime.Length), (12, 2), (1216, 20 + runtime.Length), (1220, 1), (1224, 2), (1228, 1), (1232, runtime.Length) })
        {
            System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(offset), value);
        }

        runtime.CopyTo(bytes, 1236);
        return bytes;
    }

    private static byte[] MachineJson(byte[] quote) => Encoding.UTF8.GetBytes(
        $$$"""{"version":1,"nonce":"challenge","gpus":[],"switches":[],"cpu":{"tee":"tdx","quote":"{{{Convert.ToBase64String(quote)}}}","eventLog":"W10="},"key":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}""");

    private static byte[] BrokerJson(byte[] quote) => Encoding.UTF8.GetBytes(
        $$$"""{"init-data":null,"runtime-data":{"nonce":"challenge","tee-pubkey":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}},"tee-evidence":{"primary_evidence":{"quote":"{{{Convert.ToBase64String(quote)}}}","cc_eventlog":"W10=","aa_eventlog":"INIT"},"additional_evidence":"{\"nvidia\":{\"device_evidence_list\":[{\"evidence\":\"AAAA\",\"certificate\":\"AAAA\"}]}}"}}""");

    // Its report data is the hash of what stands beside it.
    private static byte[] SampleJson()
    {
        const string key = """{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}""";
        _ = KeyBinding.TryCreate("challenge", Encoding.UTF8.GetBytes(key), out var binding, out _);
        return Encoding.UTF8.GetBytes(
            $$$"""{"init-data":null,"runtime-data":{"nonce":"challenge","tee-pubkey":{{{key}}}},"tee-evidence":{"primary_evidence":{"svn":"1","report_data":"{{{Convert.ToBase64String(binding!.ReportData("").AsSpan(0, 48))}}}"},"additional_evidence":""}}""");
    }

    private static byte[] AzureJson()
    {
        var values = string.Join(',', Enumerable.Repeat($"\"{new string('0', 64)}\"", 24));
        return Encoding.UTF8.GetBytes($$"""{"version":1,"hcl_report":"{{System.Buffers.Text.Base64Url.EncodeToString(HclBytes())}}","tpm_quote":{"message":"ff","signature":"00","pcrs":[{{values}}]},"vcek":"AAAA"}""");
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

    private static IEnumerable<byte[]> OcspQuestions()
    {
        using var device = SimulatedDevice.Create(Simulated.Authority, DeviceProfile.Ls10);
        var query = Collateral.NvidiaServices.Query(device.Certificate.Issuer!);
        yield return Assay.Trust.Revocation.OcspRequest.Encode(query.Certificate, query.Issuer, new byte[32]);
        yield return Assay.Trust.Revocation.OcspRequest.Encode(Assay.Trust.Revocation.OcspCertId.For(query.Certificate, query.Issuer, OcspHash.Sha384));
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

    private const string RsaPrivateKey = """
        -----BEGIN RSA PRIVATE KEY-----
        MIIEpAIBAAKCAQEAy/zPIMUPB8EoR094XiRJA+nnTMSbJFctPY7gBhVNHihT5gOk
        N3cWzzzRxQAR9Yg6mor2VZeWLy4vgpGkJE0NetZvm6gK0LQYczkRn/7U2q/NCu/o
        RriLXbPdtH+nOlXf0oV4ArmrfQXhH+NdVZD+FG4FcKz9bPR4Q3b7qqxEl0r50Cbm
        OX9Qu3EpiNqPZTvf7CXTcTccaChUv+tNEMBXnKv6LJ0WdhaZHO3vzJmYi5A1/kEE
        Rw36bDKG1b04DevdUnfGQ4TgZVNpE5XXtF1t9kxvs9txFtL/aYg8FiQlImlu9dVD
        pDvLfm3RUJtOQiOOGK/eejQntDjTsgMK3CggPQIDAQABAoIBABrvOzRDANyPwy9D
        TYv0s5VqNanbzfZq8mTN8EOtXVzti0J0WaMfPOpJSBOAkl5+yeotDiC4HtMFAK33
        aBqI+A4vsVX2xtLO7OmN8AdVwSpNC0B19BAefvx06wHR1zVrMF4eVH3boUqlU5f/
        0Auj1QDClEJP/Th9QUH7PHjJPVdSiTDQ8DxksssCWFjOq1ezd58qZTYdNqLtPKRs
        sntkpxPabYsZRuo7D1fM7Ec/bUhFCL+FX0OPp3sc8jNLWbGIIlefDVBVSVyzYgQ0
        fmztuz76WM6lpc4AoVjq8FnUmjgGu1RCN3apZs18w6KKSZoLkno2KAacqqmiCrzG
        l6x6CVsCgYEA63NFhXLmGiT9I6ZH/oDlah1113KDz4lAGtXpgQTQ7GslxL9X0r7N
        q6LuHZ7asfbWZy6tWhaWJxm7gocp8I5AFzxtI0K/Ix0pjKOhu1tKvBWppCYXtr3E
        WdhE4I2bdPxQk/EP88DC+PwdngnQwc4+DXcjJHx2vLGz6wHsG9xnVhcCgYEA3cqO
        miSaCTru0Cv/gJ/54lhPFmmhv/nCAJ78/hWTT8jE7bdDk+5esufR4Cql7nG/tY9N
        pbHS7SP6DBhVJ41X97v6XiaqcWLTYeKtfcS1JZ3KGmEBlpeGRY2WGCn40pC3lu7G
        LZ6qOkavmmj6JOalN5ECNcKcnd6g4kYNitelhMsCgYEA4TF9OufsQPFD1EcD8N2j
        jtziitASVfs1/vS9wxKyKI1KsGU6QG0SFaleCaKYFUK7SjEQyGt17avk9jEE4fmM
        Py0iTWlXmuQXi1YuKB5m2oH1oPR2Fehm1m/NYODP4RI6l2UnFsI1OSMZyMAmlFcI
        bqSWTh1lC5EDPjC2fOdPRr0CgYAVuSg8esdHjikj5JtS6thbzhB4/oGkPv88dlYL
        QOu7zctUCTYqQBewaDpLPYIhF60SSGXvi7pAFd0A4EU+6X4rOpMsM5dQIcDYfo5F
        mkWv2IOaD9RK/q5dE6AW382KOjhxJRPuFfNQX+oFMrEFej3GcoKH53bVk5+oafob
        lkGU/wKBgQCw2QKm9qc46A7OZu/CuNoMrb0NlwE+DY/wdQuYYLW1w+2CyomS7R7k
        n60XHWkMzSHQco1vFRwMX1c6TksbVJ0dxz65fDm8gGNWD3S7/0HMVwnxriCbVAhN
        4bCz8HT7F2H1OpVXZ72FPKU7Qi82bztQjtUluOiZEU19QEgmUbDxmQ==
        -----END RSA PRIVATE KEY-----
        """;

    private static IEnumerable<FuzzTarget> LogTargets()
    {
        const string origin = "log.example/a";
        using var ecdsa = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        using var key = NoteKey.Of(origin, ecdsa);
        var note = SignedNote.Sign(new Checkpoint(origin, 1, Merkle.Leaf([])).ToString(), origin, ecdsa);
        var hash = Merkle.Leaf([1]);
        yield return new("LogTile.TryParse", [.. ((string[])["tile/0/000", "tile/entries/x001/234.p/5"]).Select(Encoding.UTF8.GetBytes)], input =>
            LogTile.TryParse(Encoding.UTF8.GetString(input), out var tile) ? Ok(tile.Path, false) : new(false, null, ""));
        yield return new("NoteKey.TryParse", [Encoding.UTF8.GetBytes(key.ToString())], input =>
        {
            var isRead = NoteKey.TryParse(Encoding.UTF8.GetString(input), out var read, out var fault);
            using (read)
            {
                return isRead ? Ok(read!.ToString(), fault is not null) : Bad(fault);
            }
        });
        yield return new("SignedNote.TryParse", [Encoding.UTF8.GetBytes(note)], input =>
            SignedNote.TryParse(input, out var read, out var fault) ? Ok($"{read.Text} {string.Join(' ', read.Signers)}", fault is not null) : Bad(fault));
        yield return new("WitnessKey.TryParse", [Encoding.UTF8.GetBytes(WitnessKey.Of("witness.example/1", new byte[32]).ToString())], input =>
            WitnessKey.TryParse(Encoding.UTF8.GetString(input), out var read, out var fault) ? Ok(read.ToString(), fault is not null) : Bad(fault));
        yield return new("WitnessRequest.TryParse", [Encoding.UTF8.GetBytes(new WitnessRequest(1, [hash, hash], note).ToString())], input =>
            WitnessRequest.TryParse(input, out var read, out var fault) ? Ok(read.ToString(), fault is not null) : Bad(fault));
        yield return new("LogProof.TryParse", [Encoding.UTF8.GetBytes(new LogProof(0, [hash, hash], note).ToString())], input =>
            LogProof.TryParse(input, out var read, out var fault) ? Ok(read.ToString(), fault is not null) : Bad(fault));
    }

    private static IEnumerable<byte[]> PrivateKeys() => [Encoding.ASCII.GetBytes(PrivateKey), Encoding.ASCII.GetBytes(SmallPrivateKey), Encoding.ASCII.GetBytes(RsaPrivateKey)];

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

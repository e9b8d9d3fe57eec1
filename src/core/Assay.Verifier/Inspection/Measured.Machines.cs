using Assay.Evidence.Files;
using Assay.Evidence.Snp;
using Assay.Evidence.Tdx;
using Assay.Reference.Manifest;
using Assay.Trust;
using Assay.Trust.Intel;
using Assay.Wire;

namespace Assay.Inspection;

/// <summary>What is taken of a quote, a report and devices, and of the machine that made them.</summary>
public sealed partial class Measured
{
    private void TakeDomain(string name, TdxQuote quote, bool isParavisor)
    {
        var body = quote.Body;
        _domains.Add((name, body));
        if (body.Attributes.Debug)
        {
            _refuse($"{name}: the TD is in debug mode (TDATTRIBUTES.DEBUG): its host can write its memory, so it cannot serve as a known-good machine");
        }

        var withRtmr3 = _choices.Takes("rtmr3");
        Digest? Field(string field, Digest value) => _choices.Takes(field) ? value : null;
        ulong? Bits(string field, ulong value) => _choices.Takes(field) ? value : null;
        _tdx.Add(new TdxReference
        {
            Name = name,
            MrTd = body.MrTd,
            Rtmr = [body.Rtmr[0], body.Rtmr[1], body.Rtmr[2], withRtmr3 ? body.Rtmr[3] : null],
            MrConfigId = Field("mrconfigid", body.MrConfigId),
            MrOwner = Field("mrowner", body.MrOwner),
            MrOwnerConfig = Field("mrownerconfig", body.MrOwnerConfig),
            MrSeam = _choices.Takes("mrseam") ? [body.MrSeam] : [],
            MrSignerSeam = Field("mrsignerseam", body.MrSignerSeam),
            SeamAttributes = Bits("seam-attributes", body.SeamAttributes),
            TdAttributes = Bits("td-attributes", body.Attributes.Value),
            Xfam = Bits("xfam", body.Xfam.Value),
            MinimumTeeTcbSvn = _choices.Takes("tee-tcb-svn") ? body.TeeTcbSvn : [],
            IsParavisor = isParavisor,
        });
        _notes.Add($"{name}: MRTD, RTMR0 to RTMR{(withRtmr3 ? 3 : 2)}{Also(("mrconfigid", "MRCONFIGID"), ("mrowner", "MROWNER"), ("mrownerconfig", "MROWNERCONFIG"), ("mrseam", "MRSEAM"), ("mrsignerseam", "MRSIGNERSEAM"), ("seam-attributes", "SEAMATTRIBUTES"), ("td-attributes", "TDATTRIBUTES"), ("xfam", "XFAM"), ("tee-tcb-svn", "TEE_TCB_SVN as the least"))} of a TDX quote; its signature was not verified");
        if (_choices.Platform)
        {
            TakePlatform(name, quote);
        }
    }

    private string Also(params ReadOnlySpan<(string Field, string Title)> fields)
    {
        var text = "";
        foreach (var (field, title) in fields)
        {
            text += _choices.Takes(field) ? $", {title}" : "";
        }

        return text;
    }

    // The leaf of the chain that the quote brings: the verifier takes the id from the same place, once the chain is proven.
    private void TakePlatform(string name, TdxQuote quote)
    {
        ParseFault? fault = null;
        string? whyNot = null;
        PckPlatform? platform = null;
        if (!Pem.TryDecode(quote.PckChain.Span, out var chain, out fault) || !Certificate.TryParse(chain[0].Span, out var leaf, out fault) || !PckPlatform.TryRead(leaf, out platform, out whyNot))
        {
            _refuse($"{name}: --platform: its PCK certificate names no platform: {fault?.ToString() ?? whyNot}");
            return;
        }

        var (ppid, instance) = (new Digest(platform.Ppid.Span), new Digest(platform.PlatformInstanceId.Span));
        if (ppid.IsZero)
        {
            _refuse($"{name}: --platform: the PPID is zeros, which name no machine");
            return;
        }

        _tdxPlatforms.Add(new TdxPlatform(ppid, instance.IsZero ? null : instance));
        _notes.Add($"{name}: known platform: PPID {ppid}{(instance.IsZero ? "" : $", piid {instance}, which an update of its firmware can change")}");
    }

    private bool TakeDevices(string name, byte[] file)
    {
        if (!MachineEvidence.TryParse(file, name, out var machine, out _) || machine.Devices.IsEmpty)
        {
            return false;
        }

        foreach (var (index, device) in machine.Devices.Index())
        {
            if (!Pem.TryDecode(device.Chain.Span, out var chain, out var fault) || chain.Length < 2 || !Certificate.TryParse(chain[1].Span, out var certificate, out fault))
            {
                _refuse($"{name}: --platform: device {index}: its chain has no device certificate{(fault is null ? "" : $": {fault}")}");
                return true;
            }

            _devices.Add(certificate.KeyIdentity);
            _notes.Add($"{name}: known device {index}: {certificate.KeyIdentity}");
        }

        return true;
    }

    private void TakeGuest(string name, SnpReport report, bool isParavisor)
    {
        if (report.Policy.Debug)
        {
            _refuse($"{name}: the guest is in debug mode (POLICY.DEBUG): its host can write its memory, so it cannot serve as a known-good machine");
        }

        if (_choices.Takes("alias-check-complete") && !report.PlatformInfo.AliasCheckComplete)
        {
            _refuse($"{name}: --also alias-check-complete: ALIAS_CHECK_COMPLETE is clear in this report: update the machine's firmware, and measure again");
        }

        Digest? Field(string field, Digest value) => _choices.Takes(field) ? value : null;
        _snp.Add(new SnpReference
        {
            Name = name,
            Measurement = report.Measurement,
            HostData = Field("host-data", report.HostData),
            IdKeyDigest = Field("id-key-digest", report.IdKeyDigest),
            AuthorKeyDigest = Field("author-key-digest", report.AuthorKeyDigest),
            FamilyId = Field("family-id", new Digest(report.FamilyId.Span)),
            ImageId = Field("image-id", new Digest(report.ImageId.Span)),
            RequireAliasCheck = _choices.Takes("alias-check-complete"),
            IsParavisor = isParavisor,
        });
        _notes.Add($"{name}: MEASUREMENT{Also(("host-data", "HOST_DATA"), ("id-key-digest", "ID_KEY_DIGEST"), ("author-key-digest", "AUTHOR_KEY_DIGEST"), ("family-id", "FAMILY_ID"), ("image-id", "IMAGE_ID"), ("alias-check-complete", "ALIAS_CHECK_COMPLETE"))} of an SNP report; its signature was not verified");
        TakeMinimum(name, report);
        if (_choices.Platform)
        {
            TakeChip(name, report);
        }
    }

    private void TakeChip(string name, SnpReport report)
    {
        var whyNot = report.SigningKey is SnpSigningKey.Vlek ? "a VLEK signed the report, which names a cloud provider and no chip" : report.ChipId.IsMasked ? "the report masks its CHIP_ID" : null;
        if (whyNot is not null)
        {
            _refuse($"{name}: --platform: {whyNot}: the machine cannot be known by it");
            return;
        }

        _chips.Add(report.ChipId);
        _notes.Add($"{name}: known platform: CHIP_ID {report.ChipId}");
    }

    // The lowest of the four versions, and of all machines: a relying party demands that each of the four reaches it.
    private void TakeMinimum(string name, SnpReport report)
    {
        if (!_choices.MinimumTcb)
        {
            return;
        }

        if (report.Product is SnpProduct.None)
        {
            _notes.Add($"{name}: no minimum TCB: a report of version {report.Version} does not say which product it is of");
            return;
        }

        var parts = new[] { report.ReportedTcb, report.CommittedTcb, report.LaunchTcb, report.CurrentTcb }
            .Select(tcb => tcb.Parts(report.Product)).Concat(_minimums.TryGetValue(report.Product, out var known) ? [known] : []).ToArray();
        var lowest = new SnpTcbParts(
            parts.Min(item => item.Fmc), parts.Min(item => item.BootLoader), parts.Min(item => item.Tee), parts.Min(item => item.Snp), parts.Min(item => item.Microcode));
        _minimums[report.Product] = lowest;
        _notes.Add($"{name}: minimum TCB of {report.Product}: {lowest}");
    }
}

using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using Assay.Binding;
using Assay.Evidence.Tdx;
using Assay.Evidence.Tpm;
using Assay.Wire;

namespace Assay.Guest.Sources;

/// <summary>
/// A confidential VM behind Azure's paravisor, which has neither configfs-tsm nor <c>/dev/sev-guest</c>: this VM's own report is a quote of the vTPM that the
/// paravisor keeps, with the HCL report that names the vTPM's key (TPM 2.0 Library, parts 2 and 3; big-endian). Where the TPM has no HCL report, another
/// source answers.
/// <code>
/// NV 0x01400001    the HCL report; read with the owner's authorization or the index's own, as its attributes allow
/// 0x81000003       the attestation key: RSA of 2048 bits, RSASSA with SHA-256, restricted
/// quote            PCR 0 to 23 of the SHA-256 bank, over the first 32 of the 64 bytes that are asked for
/// </code>
/// NV 0x01400002, whose 64 bytes the paravisor puts into the next HCL report, is not written: version 1 of the evidence states none, and no verdict of ours
/// asks for them. The quote is what is fresh.
/// </summary>
internal sealed class AzureVtpm(ITpmTransport transport, AzureMetadata metadata, ICpuSource otherwise) : ICpuSource
{
    private const uint ReportIndex = 0x01400001;
    /// <summary>The attestation key, which the HCL report names.</summary>
    public const uint KeyHandle = 0x81000003;

    private const uint OwnerHandle = 0x40000001;

    private const uint NvRead = 0x14E;
    private const uint Quote = 0x158;
    private const uint NvReadPublic = 0x169;
    private const uint ReadPublic = 0x173;
    private const uint GetCapability = 0x17A;
    private const uint PcrRead = 0x17E;

    // TPM_RC_HANDLE, of the first handle: there is no such index.
    private const uint NoSuchHandle = 0x18B;
    private const uint OwnerRead = 1 << 17;
    private const uint AuthRead = 1 << 18;
    private const uint TpmProperties = 6;
    private const uint NvBufferMax = 0x12C;

    // What every TPM of the PC Client profile reads at once.
    private const int SmallestBuffer = 512;
    private const int LargestBuffer = 1024;
    private const uint AllPcrs = 0xFFFFFF;
    private const int Tries = 8;
    private const int KeySize = 256;

    private readonly TpmConversation _tpm = new(transport);

    public CpuReport Report(ReadOnlySpan<byte> data) => TryReport(data) ?? otherwise.Report(data);

    /// <summary>The same; null where the TPM has no HCL report.</summary>
    public VtpmReport? TryReport(ReadOnlySpan<byte> data)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(data.Length, KeyBinding.ReportDataSize);
        if (ReportArea() is not { } area)
        {
            return null;
        }

        var report = Read(area.Attributes, area.Size);
        var modulus = AttestationKey();
        // Registers are read in several commands, and whatever extends one meanwhile makes them others than were quoted.
        for (var attempt = 0; attempt < Tries; attempt++)
        {
            var (message, signature) = QuoteOver(data[..KeyBinding.QualifyingDataSize]);
            var pcrs = Registers();
            if (QuotedStatement.Read(message).Covers(pcrs))
            {
                return new VtpmReport(report, message, signature, pcrs, modulus);
            }
        }

        throw TpmConversation.Failed("its registers change while they are quoted", "see what extends registers of the running system");
    }

    /// <summary>
    /// None where there is an HCL report. Evidence with a vTPM carries one log, and the gate's events are what nothing else proves; firmware's registers are
    /// compared with reference values.
    /// </summary>
    public byte[] FirmwareLog() => ReportArea() is null ? otherwise.FirmwareLog() : [];

    /// <summary>Adds what only the cloud's metadata service has: the VCEK on SEV-SNP, and on TDX the TD quote over the HCL report's TDREPORT.</summary>
    public CpuReport Complete(CpuReport report)
    {
        if (report is not VtpmReport vtpm)
        {
            return otherwise.Complete(report);
        }

        if (!HclReport.TryParse(vtpm.HclReport, out var hcl, out var fault))
        {
            throw new GuestException("source.azure.report", $"NV index 0x01400001: {fault}", "see that the VM is a confidential VM");
        }

        if (hcl.Tee is HclTee.Snp)
        {
            return new CpuReport(vtpm.Tee, vtpm.ToJson("vcek", metadata.Vcek()));
        }

        var bytes = metadata.TdQuote(hcl.HardwareReport.Span);
        if (!TdxQuote.TryParse(bytes, out var quote, out fault) || !CryptographicOperations.FixedTimeEquals(quote.Body.ReportData.Bytes, hcl.ReportData.Span))
        {
            throw new GuestException("source.azure.quote", fault is null ? "the TD quote of the metadata service is about other report data than the TDREPORT" : $"the TD quote of the metadata service: {fault}", "ask again; if it stays, report it to the cloud");
        }

        return new CpuReport(vtpm.Tee, vtpm.ToJson("td_quote", bytes));
    }

    // TPMS_NV_PUBLIC: index 4 · name algorithm 2 · attributes 4 · policy TPM2B · size 2.
    private (uint Attributes, int Size)? ReportArea()
    {
        if (_tpm.TryRun(NvReadPublic, new TpmWriter().U32(ReportIndex), NoSuchHandle) is not { } answer)
        {
            return null;
        }

        var area = new TpmReader(new TpmReader(answer, "a response to TPM2_NV_ReadPublic").Sized(), "TPMS_NV_PUBLIC");
        area.U32();
        area.U16();
        var attributes = area.U32();
        area.Sized();
        var size = area.U16();
        area.End();
        return size <= Limits.HclReportBytes ? (attributes, size)
            : throw new GuestException("source.azure.report", "NV index 0x01400001 is too large for an HCL report", "report it", $"{size} bytes", $"at most {Limits.HclReportBytes}");
    }

    private byte[] Read(uint attributes, int size)
    {
        // The owner's first: an index's own password counts wrong answers, and locks all of them out.
        var authority = (attributes & OwnerRead) != 0 ? OwnerHandle
            : (attributes & AuthRead) != 0 ? ReportIndex
            : throw new GuestException("source.azure.report", "NV index 0x01400001 may be read neither by the owner nor with its own authorization", "see tpm2_nvreadpublic 0x01400001", string.Create(CultureInfo.InvariantCulture, $"attributes {attributes:x8}"), "ownerread or authread");
        var (report, chunk) = (new byte[size], LargestRead());
        for (var offset = 0; offset < size;)
        {
            var answer = new TpmReader(_tpm.RunAuthorized(NvRead, [authority, ReportIndex], new TpmWriter().U16((ushort)Math.Min(chunk, size - offset)).U16((ushort)offset)), "a response to TPM2_NV_Read");
            var part = answer.Sized();
            answer.End();
            if (part.IsEmpty || part.Length > size - offset)
            {
                throw TpmConversation.Failed("it reads another number of bytes of an NV index than was asked for", "replace the TPM");
            }

            part.CopyTo(report.AsSpan(offset));
            offset += part.Length;
        }

        return report;
    }

    // TPM_PT_NV_BUFFER_MAX: moreData 1 · capability 4 · count 4 · { property 4 · value 4 }. The TPM may answer with the next property that it has.
    private int LargestRead()
    {
        var answer = new TpmReader(_tpm.Run(GetCapability, new TpmWriter().U32(TpmProperties).U32(NvBufferMax).U32(1)), "a response to TPM2_GetCapability");
        answer.U8();
        answer.U32();
        return answer.U32() == 1 && answer.U32() == NvBufferMax ? (int)Math.Clamp(answer.U32(), SmallestBuffer, LargestBuffer) : SmallestBuffer;
    }

    // TPMT_PUBLIC: type 2 · name algorithm 2 · attributes 4 · policy TPM2B · symmetric 2 · scheme 2 · its hash 2 · bits 2 · exponent 4 · modulus TPM2B. What signs
    // whatever it is given would let any process of this guest write quotes, and the JWK of the HCL report does not tell: so the gate looks.
    private byte[] AttestationKey()
    {
        var area = new TpmReader(new TpmReader(_tpm.Run(ReadPublic, new TpmWriter().U32(KeyHandle)), "a response to TPM2_ReadPublic").Sized(), "TPMT_PUBLIC");
        const ushort rsa = 0x0001;
        const ushort none = 0x0010;
        const ushort rsaSsa = 0x0014;
        const uint wanted = 0x00050032; // fixedTPM, fixedParent, sensitiveDataOrigin, restricted, sign
        const uint decrypt = 0x00020000;
        var type = area.U16();
        area.U16();
        var attributes = area.U32();
        area.Sized();
        if (type != rsa || (attributes & (wanted | decrypt)) != wanted)
        {
            throw new GuestException("source.azure.key", "the key at 0x81000003 is no attestation key of the TPM's", "see tpm2_readpublic -c 0x81000003", string.Create(CultureInfo.InvariantCulture, $"type {type:x4}, attributes {attributes:x8}"), "type 0001, attributes with 00050032 and without 00020000");
        }

        var (symmetric, scheme, hash) = (area.U16(), area.U16(), area.U16());
        area.U16();
        area.U32();
        var modulus = area.Sized().ToArray();
        area.End();
        return symmetric == none && scheme == rsaSsa && hash == (ushort)TcgHash.Sha256 && modulus.Length == KeySize ? modulus
            : throw new GuestException("source.azure.key", "the key at 0x81000003 signs in another way than evidence with a vTPM states", "see tpm2_readpublic -c 0x81000003", string.Create(CultureInfo.InvariantCulture, $"scheme {scheme:x4}, hash {hash:x4}, {modulus.Length} bytes"), "scheme 0014, hash 000b, 256 bytes");
    }

    // TPMT_SIGNATURE: algorithm 2 · hash 2 · signature TPM2B. The evidence has the bare bytes.
    private (byte[] Message, byte[] Signature) QuoteOver(ReadOnlySpan<byte> data)
    {
        const ushort ownScheme = 0x0010;
        var answer = new TpmReader(_tpm.RunAuthorized(Quote, [KeyHandle], new TpmWriter().Sized(data).U16(ownScheme).Selection((ushort)TcgHash.Sha256, AllPcrs)), "a response to TPM2_Quote");
        var message = answer.Sized().ToArray();
        answer.U16();
        answer.U16();
        var signature = answer.Sized().ToArray();
        answer.End();
        return (message, signature);
    }

    // At most eight digests come at once; the answer says of which registers.
    private ImmutableArray<Digest> Registers()
    {
        var values = new Digest?[Limits.Pcrs];
        for (var wanted = AllPcrs; wanted != 0;)
        {
            var answer = new TpmReader(_tpm.Run(PcrRead, new TpmWriter().Selection((ushort)TcgHash.Sha256, wanted)), "a response to TPM2_PCR_Read");
            answer.U32();
            if (answer.Selection() is not { Bank: (ushort)TcgHash.Sha256, Bitmap: var read and > 0 } || (read & ~wanted) != 0 || answer.U32() != uint.PopCount(read))
            {
                throw TpmConversation.Failed("the SHA-256 bank has not all 24 PCRs", "activate the SHA-256 bank");
            }

            for (var register = 0; register < Limits.Pcrs; register++)
            {
                if ((read >> register & 1) == 1)
                {
                    values[register] = new Digest(answer.Sized());
                }
            }

            answer.End();
            wanted &= ~read;
        }

        return [.. values.Select(value => value!.Value)];
    }
}

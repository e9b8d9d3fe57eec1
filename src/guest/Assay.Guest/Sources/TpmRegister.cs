using Assay.Binding;
using Assay.Evidence.EventLogs;
using Assay.Wire;

namespace Assay.Guest.Sources;

/// <summary>
/// A PCR of a TPM inside the TEE (TPM 2.0 Library, part 3: TPM2_PCR_Read, TPM2_PCR_Extend; big-endian). The SHA-256 bank is extended, and
/// SHA-384 with it where it is active, so that a verifier may quote either.
/// </summary>
internal sealed class TpmRegister : IMeasuredRegister
{
    private const uint PcrRead = 0x17E;
    private const uint PcrExtend = 0x182;
    private const int Sha256Size = 32;
    private const int Sha384Size = 48;

    private readonly TpmConversation _tpm;

    public TpmRegister(ITpmTransport transport, int index) => (_tpm, Index) = (new TpmConversation(transport), index);

    public RegisterKind Kind => RegisterKind.Pcr;

    public int Index { get; }

    public TcgHash Bank => TcgHash.Sha256;

    public Digest Read() => TryRead(TcgHash.Sha256, Sha256Size) ?? throw TpmConversation.Failed("the SHA-256 bank is not active", "activate the SHA-256 bank");

    public void Extend(RuntimeEvent item)
    {
        ArgumentNullException.ThrowIfNull(item);
        var hasSha384 = TryRead(TcgHash.Sha384, Sha384Size) is not null;
        var digests = new TpmWriter().U32(hasSha384 ? 2u : 1u).U16((ushort)TcgHash.Sha256).Bytes(item.Digest(TcgHash.Sha256).Bytes);
        _tpm.RunAuthorized(PcrExtend, [(uint)Index], hasSha384 ? digests.U16((ushort)TcgHash.Sha384).Bytes(item.Digest(TcgHash.Sha384).Bytes) : digests);
    }

    // Null where the bank is not active: the TPM then selects nothing.
    private Digest? TryRead(TcgHash bank, int size)
    {
        var answer = new TpmReader(_tpm.Run(PcrRead, new TpmWriter().Selection((ushort)bank, 1u << Index)), "a response to TPM2_PCR_Read");
        answer.U32(); // updateCounter
        if (answer.Selection() is not { Bitmap: > 0 } || answer.U32() != 1)
        {
            return null;
        }

        var digest = answer.Sized();
        answer.End();
        return digest.Length == size ? new Digest(digest) : throw TpmConversation.Failed("a digest of TPM2_PCR_Read has another size", "replace the TPM");
    }
}

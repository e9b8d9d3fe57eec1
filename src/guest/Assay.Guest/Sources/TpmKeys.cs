using System.Security.Cryptography;
using Assay.Sealing.Memory;
using Assay.Wire;

namespace Assay.Guest.Sources;

/// <summary>A key that a TPM made from a template.</summary>
/// <param name="Handle">Where it is loaded.</param>
/// <param name="Public">Its TPMT_PUBLIC.</param>
/// <param name="CreationHash">What the ticket is about.</param>
/// <param name="Ticket">TPMT_TK_CREATION: the TPM's own mark that it made the key.</param>
internal sealed record TpmCreatedKey(uint Handle, byte[] Public, byte[] CreationHash, byte[] Ticket)
{
    /// <summary>The name by which the TPM knows it: algorithm, and SHA-256 of the public area (part 1 §16).</summary>
    public byte[] Name => [0, (byte)TcgHash.Sha256, .. SHA256.HashData(Public)];
}

/// <summary>PCRs of the SHA-256 bank with the values that a key is to need.</summary>
/// <param name="Bitmap">Bit n is PCR n.</param>
/// <param name="Digest">SHA-256 of the values in ascending order.</param>
internal sealed record TpmPcrPolicy(uint Bitmap, byte[] Digest)
{
    private const uint PolicyPcr = 0x17F;

    /// <summary>authPolicy of a key that TPM2_PolicyPCR alone opens (part 3 §23.7): SHA-256 over zeros, the command's code, the selection and the digest.</summary>
    public byte[] AuthPolicy() => SHA256.HashData(new TpmWriter().Bytes(new byte[SHA256.HashSizeInBytes]).U32(PolicyPcr).Selection((ushort)TcgHash.Sha256, Bitmap).Bytes(Digest).Written);
}

/// <summary>This boot as the TPM counts it: resets and restarts.</summary>
/// <param name="Counts">resetCount 4 · restartCount 4, as TPM2_ReadClock answers them.</param>
internal sealed record TpmBootPolicy(byte[] Counts)
{
    /// <summary>Where they stand in TPMS_TIME_INFO, behind time 8 · clock 8.</summary>
    public const ushort Offset = 8 + 8;

    /// <summary>TPM_EO_EQ.</summary>
    public const ushort Equal = 0;

    /// <summary>TPM_CC_PolicyCounterTimer.</summary>
    public const uint Command = 0x16D;

    /// <summary>authPolicy of a key that TPM2_PolicyCounterTimer alone opens (part 3 §23.10): SHA-256 over zeros, the command's code and SHA-256 of what is compared.</summary>
    public byte[] AuthPolicy() =>
        SHA256.HashData(new TpmWriter().Bytes(new byte[SHA256.HashSizeInBytes]).U32(Command).Bytes(SHA256.HashData(new TpmWriter().Bytes(Counts).U16(Offset).U16(Equal).Written)).Written);
}

/// <summary>
/// Keys that a TPM makes and does not give out (TPM 2.0 Library, parts 1 to 3; big-endian). They are primary keys: the TPM derives them of a seed of its own and
/// of the template, so that nothing is stored. The owner's seed stays until the TPM is cleared, the null seed until it is reset. A boot after TPM2_Shutdown(STATE)
/// is no reset, so keys for one boot have a policy of their own.
/// </summary>
internal sealed class TpmKeys(ITpmTransport transport)
{
    private const uint CreatePrimary = 0x131;
    private const uint CertifyCreation = 0x14A;
    private const uint EcdhZGen = 0x154;
    private const uint Hmac = 0x155;
    private const uint FlushContext = 0x165;
    private const uint StartAuthSession = 0x176;
    private const uint PolicyPcr = 0x17F;
    private const uint ReadClock = 0x181;

    private const uint OwnerHandle = 0x40000001;
    private const uint NullHandle = 0x40000007;
    private const ushort Nothing = 0x0010; // TPM_ALG_NULL
    private const ushort Sha256 = (ushort)TcgHash.Sha256;
    private const byte PolicySession = 1;

    // fixedTPM, fixedParent, sensitiveDataOrigin, noDA: made in this TPM, and never in the clear outside.
    private const uint MadeHere = 0x00000432;
    private const uint Sign = 0x00040000;
    private const uint Decrypt = 0x00020000;

    // TPM_RC_POLICY_FAIL of session 1; TPM_RC_POLICY; TPM_RC_VALUE of parameter 1; TPM_RC_PCR_CHANGED.
    private const uint PolicyFails = 0x99D;
    private const uint OtherBoot = 0x126;
    private const uint OtherValue = 0x1C4;
    private const uint PcrChanged = 0x128;
    private const int Tries = 3;

    private readonly TpmConversation _tpm = new(transport);

    /// <summary>
    /// The key for HMAC of this name and policy: the same after every boot. It has no password and no other way to be used than the policy (userWithAuth is clear).
    /// </summary>
    /// <param name="unique">32 bytes that stand for the name.</param>
    /// <param name="policy">What the boot must look like.</param>
    public TpmCreatedKey CreateDerivationKey(ReadOnlySpan<byte> unique, TpmPcrPolicy policy)
    {
        const ushort keyedHash = 0x0008;
        const ushort hmac = 0x0005;
        var template = new TpmWriter().U16(keyedHash).U16(Sha256).U32(MadeHere | Sign).Sized(policy.AuthPolicy()).U16(hmac).U16(Sha256);
        return Create(OwnerHandle, template.Written, new TpmWriter().Sized(unique).Written);
    }

    /// <summary>The key for agreement of this curve: the same until the next boot, and of no use after it.</summary>
    /// <param name="curve">TPM_ECC_CURVE.</param>
    /// <param name="unique">32 random bytes: who does not know them cannot make the key.</param>
    /// <param name="boot">The boot in which it is used.</param>
    public TpmCreatedKey CreateAgreementKey(ushort curve, ReadOnlySpan<byte> unique, TpmBootPolicy boot)
    {
        const ushort elliptic = 0x0023;
        var template = new TpmWriter().U16(elliptic).U16(Sha256).U32(MadeHere | Decrypt).Sized(boot.AuthPolicy()).U16(Nothing).U16(Nothing).U16(curve).U16(Nothing);
        return Create(NullHandle, template.Written, new TpmWriter().Sized(unique).Sized([]).Written);
    }

    /// <summary>TPMS_TIME_INFO: time 8 · clock 8 · resetCount 4 · restartCount 4 · safe 1.</summary>
    public TpmBootPolicy ThisBoot()
    {
        var answer = new TpmReader(_tpm.Run(ReadClock, new TpmWriter()), "a response to TPM2_ReadClock");
        answer.Bytes(TpmBootPolicy.Offset);
        return new TpmBootPolicy(answer.Bytes(2 * sizeof(uint)).ToArray());
    }

    /// <summary>The point of a key for agreement, as 04‖X‖Y.</summary>
    public static byte[] PointOf(TpmCreatedKey key, int fieldBytes)
    {
        var area = new TpmReader(key.Public, "TPMT_PUBLIC");
        area.Bytes(2 + 2 + 4);
        area.Sized();
        area.Bytes(2 + 2 + 2 + 2);
        var point = new byte[1 + (2 * fieldBytes)];
        point[0] = 4;
        Place(area.Sized(), point.AsSpan(1, fieldBytes));
        Place(area.Sized(), point.AsSpan(1 + fieldBytes));
        area.End();
        return point;
    }

    /// <summary>A statement of the attestation key that this TPM made the key (part 3, TPM2_CertifyCreation), with the bare bytes of its signature.</summary>
    public (byte[] Message, byte[] Signature) Certify(TpmCreatedKey key, uint attestationKey, ReadOnlySpan<byte> data)
    {
        // Only the first handle, the attestation key, needs authorization.
        var answer = new TpmReader(_tpm.RunAuthorized(CertifyCreation, [attestationKey, key.Handle], new TpmWriter().Sized(data).Sized(key.CreationHash).U16(Nothing).Bytes(key.Ticket)), "a response to TPM2_CertifyCreation");
        var message = answer.Sized().ToArray();
        answer.U16();
        answer.U16();
        var signature = answer.Sized().ToArray();
        answer.End();
        return (message, signature);
    }

    /// <summary>HMAC with SHA-256 over <paramref name="data"/>; null where the PCRs are not what the key's policy wants.</summary>
    public SecretBuffer? HmacOf(TpmCreatedKey key, TpmPcrPolicy policy, ReadOnlySpan<byte> data)
    {
        for (var attempt = 1; attempt <= Tries; attempt++)
        {
            var session = StartPolicy();
            if (_tpm.TryRun(PolicyPcr, new TpmWriter().U32(session).Sized(policy.Digest).Selection(Sha256, policy.Bitmap), OtherValue) is null)
            {
                Flush(session);
                return null;
            }

            if (Use(Hmac, key, session, new TpmWriter().Sized(data).U16(Nothing), new TpmSecret(0, SHA256.HashSizeInBytes, IsNumber: false), out var status) is { } made)
            {
                return made;
            }

            if (status is PolicyFails)
            {
                return null;
            }

            if (status is not PcrChanged)
            {
                throw TpmConversation.Refused(Hmac, status);
            }
        }

        throw TpmConversation.Refused(Hmac, PcrChanged);
    }

    /// <summary>The X coordinate of the point that the key and <paramref name="peer"/> (04‖X‖Y, on the curve) share, as long as the field; null in another boot than the key's.</summary>
    public SecretBuffer? Agree(TpmCreatedKey key, TpmBootPolicy boot, ReadOnlySpan<byte> peer)
    {
        var session = StartPolicy();
        if (_tpm.TryRun(TpmBootPolicy.Command, new TpmWriter().U32(session).Sized(boot.Counts).U16(TpmBootPolicy.Offset).U16(TpmBootPolicy.Equal), OtherBoot) is null)
        {
            Flush(session);
            return null;
        }

        var field = peer.Length / 2;
        // TPM2B_ECC_POINT, in both directions.
        var point = new TpmWriter().Sized(peer.Slice(1, field)).Sized(peer[(1 + field)..]).Written;
        return Use(EcdhZGen, key, session, new TpmWriter().Sized(point), new TpmSecret(sizeof(ushort), field, IsNumber: true), out var status) ?? throw TpmConversation.Refused(EcdhZGen, status);
    }

    /// <summary>Frees its place in the TPM.</summary>
    public void Flush(uint handle) => _tpm.Run(FlushContext, new TpmWriter().U32(handle));

    // A command that succeeds ends its session. What an exception leaves is freed where the device is closed.
    private SecretBuffer? Use(uint code, TpmCreatedKey key, uint session, TpmWriter parameters, TpmSecret shape, out uint status)
    {
        var secret = _tpm.RunSecret(code, key.Handle, session, parameters, shape, out status);
        if (secret is null)
        {
            Flush(session);
        }

        return secret;
    }

    private static void Place(ReadOnlySpan<byte> number, Span<byte> field)
    {
        if (number.Length > field.Length)
        {
            throw TpmConversation.Failed("a point is longer than its curve", "replace the TPM");
        }

        number.CopyTo(field[^number.Length..]);
    }

    // The TPM may not have made another kind of key than it was asked for: all but the unique part must come back as it was given.
    private TpmCreatedKey Create(uint hierarchy, byte[] template, byte[] unique)
    {
        const int emptySensitive = 4;
        var parameters = new TpmWriter().U16(emptySensitive).U32(0).Sized([.. template, .. unique]).Sized([]).U32(0);
        var (handle, told) = _tpm.RunCreating(CreatePrimary, hierarchy, parameters);
        try
        {
            var answer = new TpmReader(told, "a response to TPM2_CreatePrimary");
            var area = answer.Sized().ToArray();
            answer.Sized();
            var hash = answer.Sized().ToArray();
            var ticket = new TpmWriter().U16(answer.U16()).U32(answer.U32()).Sized(answer.Sized()).Written;
            return area.AsSpan().StartsWith(template) ? new TpmCreatedKey(handle, area, hash, ticket)
                : throw TpmConversation.Failed("it made another kind of key than it was asked for", "replace the TPM");
        }
        catch (GuestException)
        {
            Flush(handle);
            throw;
        }
    }

    private uint StartPolicy()
    {
        var answer = new TpmReader(_tpm.Run(StartAuthSession, new TpmWriter().U32(NullHandle).U32(NullHandle).Sized(RandomNumberGenerator.GetBytes(SHA256.HashSizeInBytes)).Sized([]).U8(PolicySession).U16(Nothing).U16(Sha256)), "a response to TPM2_StartAuthSession");
        return answer.U32();
    }
}

using System.Security.Cryptography;
using Assay.Guest.Configuration;
using Assay.Guest.Sources;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;

namespace Assay.Guest.Secrets;

/// <summary>
/// Release keys in the TPM of the TEE. The TPM makes each again of its null seed whenever it is used, so that no key takes a place in it, and uses it in this boot
/// alone.
/// </summary>
internal sealed class TpmReleaseKeys(GuestConfiguration configuration, GuestSources sources)
{
    private readonly Lock _lock = new();

    /// <exception cref="GuestException"><c>agent.key-storage</c>: RSA, or a curve that the TPM has not; or the TPM is not the TEE's.</exception>
    public SealingKeyPair Generate(KeyKind kind)
    {
        // TPM_ECC_CURVE, and the bytes of the field.
        (ushort Number, int Field) curve = kind switch
        {
            KeyKind.P256 => (3, 32),
            KeyKind.P384 => (4, 48),
            KeyKind.P521 => (5, 66),
            _ => throw new GuestException("agent.key-storage", "keys in the TPM are on P-256, P-384 or P-521", "give another kind, or keep keys in memory (agent.keyStorage)"),
        };
        var unique = RandomNumberGenerator.GetBytes(SHA256.HashSizeInBytes);
        lock (_lock)
        {
            using var tpm = OwnTpm.Open(configuration, sources);
            var boot = tpm.Keys.ThisBoot();
            var key = tpm.Keys.CreateAgreementKey(curve.Number, unique, boot);
            try
            {
                tpm.RequireMadeHere(key);
                var point = TpmKeys.PointOf(key, curve.Field);
                return SealingPublicKey.TryOfPoint(kind, point, out var publicKey, out var fault)
                    ? SealingKeyPair.OfDevice(publicKey, peer => Agree(curve.Number, unique, boot, key.Name, peer.Span))
                    : throw TpmConversation.Failed(fault.Problem, "replace the TPM");
            }
            finally
            {
                tpm.Keys.Flush(key.Handle);
            }
        }
    }

    private SecretBuffer Agree(ushort curve, byte[] unique, TpmBootPolicy boot, byte[] name, ReadOnlySpan<byte> peer)
    {
        lock (_lock)
        {
            using var transport = sources.Tpm!();
            var keys = new TpmKeys(transport);
            var key = keys.CreateAgreementKey(curve, unique, boot);
            try
            {
                return (key.Name.AsSpan().SequenceEqual(name) ? keys.Agree(key, boot, peer) : null)
                    ?? throw new GuestException("agent.key-storage", "the TPM was reset, and the key ended with it", "boot again, and have secrets sealed to the key that the evidence then has");
            }
            finally
            {
                keys.Flush(key.Handle);
            }
        }
    }
}

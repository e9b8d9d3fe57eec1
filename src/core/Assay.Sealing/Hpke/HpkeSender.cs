using Assay.Sealing.Keys;
using Assay.Sealing.Memory;

namespace Assay.Sealing.Hpke;

/// <summary>
/// Seals to a public key (RFC 9180, mode base). Nothing in it says who sealed: what the receiver must believe belongs in <c>info</c>, framed or
/// canonical, or under a signature. Not safe for concurrent use.
/// </summary>
public sealed class HpkeSender : IDisposable
{
    private readonly HpkeContext _context;

    private HpkeSender(HpkeContext context, byte[] encapsulated) => (_context, Encapsulated) = (context, encapsulated);

    /// <summary>The encapsulated key <c>enc</c>, which the receiver needs.</summary>
    public ReadOnlyMemory<byte> Encapsulated { get; }

    /// <summary>A new exchange.</summary>
    /// <param name="recipient">On the suite's curve.</param>
    /// <param name="info">What both sides know; 65536 bytes at most.</param>
    /// <param name="memory">Where its keys are.</param>
    /// <exception cref="SealingException">Memory that cannot be locked, or no libcrypto.</exception>
    public static HpkeSender Create(SealingPublicKey recipient, ReadOnlySpan<byte> info, SecretMemory? memory = null)
    {
        ArgumentNullException.ThrowIfNull(recipient);
        var suite = HpkeRecipient.SuiteOf(recipient);
        using var ephemeral = SealingKeyPair.GenerateEphemeralKeyPair(suite.Kind, memory);
        return Create(suite, recipient, ephemeral, info);
    }

    /// <summary>Seals the next message; 16 bytes longer than it was. Messages are opened in this order.</summary>
    public byte[] Seal(ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> associated = default) => _context.Seal(plaintext, associated);

    /// <summary>A secret that both sides have (RFC 9180 §5.3), 1 to 255 hashes long.</summary>
    public SecretBuffer Export(ReadOnlySpan<byte> exporterContext, int length) => _context.Export(exporterContext, length);

    /// <summary>Wipes its keys.</summary>
    public void Dispose() => _context.Dispose();

    internal static HpkeSender Create(HpkeSuite suite, SealingPublicKey recipient, SealingKeyPair ephemeral, ReadOnlySpan<byte> info)
    {
        HpkeRecipient.CheckInfo(info);
        var encapsulated = ephemeral.PublicKey.Bytes.ToArray();
        using var agreement = ephemeral.Agree(recipient.Bytes)!;
        try
        {
            using var shared = HpkeSchedule.SharedSecret(suite, agreement, [.. encapsulated, .. recipient.Bytes], ephemeral.Memory);
            return new HpkeSender(new HpkeContext(suite, shared, info, ephemeral.Memory), encapsulated);
        }
        finally
        {
            StackWipe.Run();
        }
    }
}

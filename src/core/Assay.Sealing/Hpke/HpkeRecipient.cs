using System.Diagnostics.CodeAnalysis;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;

namespace Assay.Sealing.Hpke;

/// <summary>Opens what was sealed to a key pair with HPKE, mode base. Not safe for concurrent use.</summary>
public sealed class HpkeRecipient : IDisposable
{
    private readonly HpkeContext _context;

    private HpkeRecipient(HpkeContext context) => _context = context;

    /// <summary>Takes part in an exchange. That it succeeds says nothing yet: the first message does.</summary>
    /// <param name="pair">On a curve; the curve chooses the suite.</param>
    /// <param name="encapsulated">The sender's <c>enc</c>: an uncompressed point.</param>
    /// <param name="info">As the sender's.</param>
    /// <param name="recipient">Disposed by the caller.</param>
    /// <param name="fault"><see cref="SealingFaults.HpkeForm"/>.</param>
    public static bool TryCreate(SealingKeyPair pair, ReadOnlySpan<byte> encapsulated, ReadOnlySpan<byte> info, [NotNullWhen(true)] out HpkeRecipient? recipient, [NotNullWhen(false)] out SealingFault? fault)
    {
        ArgumentNullException.ThrowIfNull(pair);
        return TryCreate(SuiteOf(pair.PublicKey), pair, encapsulated, info, out recipient, out fault);
    }

    /// <summary>Opens the next message. After a failure the same message may come again.</summary>
    /// <param name="sealedText">16 bytes or more.</param>
    /// <param name="associated">As the sender's.</param>
    /// <param name="plaintext">Disposed by the caller.</param>
    /// <param name="fault"><see cref="SealingFaults.HpkeForm"/> or <see cref="SealingFaults.NotOpened"/>.</param>
    public bool TryOpen(ReadOnlySpan<byte> sealedText, ReadOnlySpan<byte> associated, [NotNullWhen(true)] out SecretBuffer? plaintext, [NotNullWhen(false)] out SealingFault? fault)
    {
        plaintext = null;
        if (sealedText.Length < HpkeContext.TagBytes)
        {
            fault = new SealingFault(SealingFaults.HpkeForm, $"an HPKE text has {HpkeContext.TagBytes} bytes at least, found {sealedText.Length}", "check that all of it is there");
            return false;
        }

        plaintext = _context.Open(sealedText, associated);
        fault = plaintext is null ? SealingFaults.NotThisKey : null;
        return plaintext is not null;
    }

    /// <summary>As <see cref="HpkeSender.Export"/>.</summary>
    public SecretBuffer Export(ReadOnlySpan<byte> exporterContext, int length) => _context.Export(exporterContext, length);

    /// <summary>Wipes its keys.</summary>
    public void Dispose() => _context.Dispose();

    internal static bool TryCreate(HpkeSuite suite, SealingKeyPair pair, ReadOnlySpan<byte> encapsulated, ReadOnlySpan<byte> info, [NotNullWhen(true)] out HpkeRecipient? recipient, [NotNullWhen(false)] out SealingFault? fault)
    {
        CheckInfo(info);
        recipient = null;
        using var agreement = pair.Agree(encapsulated);
        if (agreement is null)
        {
            fault = new SealingFault(SealingFaults.HpkeForm, $"enc is not an uncompressed point of {suite.Curve.Name} ({suite.EncapsulatedBytes} bytes)", "check that it was sealed to this key");
            return false;
        }

        try
        {
            // The receiver's own point, never one out of the message.
            using var shared = HpkeSchedule.SharedSecret(suite, agreement, [.. encapsulated, .. pair.PublicKey.Bytes], pair.Memory);
            (recipient, fault) = (new HpkeRecipient(new HpkeContext(suite, shared, info, pair.Memory)), null);
            return true;
        }
        finally
        {
            StackWipe.Run();
        }
    }

    internal static HpkeSuite SuiteOf(SealingPublicKey key) => key.Kind switch
    {
        KeyKind.P256 => HpkeSuite.P256,
        KeyKind.P384 => HpkeSuite.P384,
        KeyKind.P521 => HpkeSuite.P521,
        _ => throw new ArgumentException("HPKE needs a key on a curve", nameof(key)),
    };

    internal static void CheckInfo(ReadOnlySpan<byte> info) => ArgumentOutOfRangeException.ThrowIfGreaterThan(info.Length, Limits.HpkeInfoBytes, nameof(info));
}

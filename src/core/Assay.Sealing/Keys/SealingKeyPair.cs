using System.Diagnostics.CodeAnalysis;
using Assay.Sealing.Memory;

namespace Assay.Sealing.Keys;

/// <summary>
/// A key pair as a handle: the private key was made in this process, rests in secret memory and is never exported; or it rests in a device that makes
/// agreements with it. Disposing wipes what is here. Safe for concurrent use.
/// </summary>
public sealed class SealingKeyPair : IDisposable
{
    private readonly SecretBuffer? _private;
    private readonly Func<ReadOnlyMemory<byte>, SecretBuffer>? _agree;

    internal SealingKeyPair(SealingPublicKey publicKey, SecretBuffer privateKey, SecretMemory memory) => (PublicKey, _private, Memory) = (publicKey, privateKey, memory);

    private SealingKeyPair(SealingPublicKey publicKey, Func<ReadOnlyMemory<byte>, SecretBuffer> agree, SecretMemory memory) => (PublicKey, _agree, Memory) = (publicKey, agree, memory);

    /// <summary>The public half.</summary>
    public SealingPublicKey PublicKey { get; }

    /// <summary>Whether the private key's memory is locked; see <see cref="SecretMemory.DangerouslyAllowUnlockedMemory"/>.</summary>
    public bool IsLocked => _private?.IsLocked ?? true;

    /// <summary>Where what is opened with this key goes.</summary>
    internal SecretMemory Memory { get; }

    internal SecretBuffer Private => _private ?? throw new InvalidOperationException("the private key is in a device");

    /// <summary>Makes a key that lives as long as this handle.</summary>
    /// <param name="kind">P-384 where the other side leaves the choice.</param>
    /// <param name="memory">Where it rests, and what is opened with it; <see cref="SecretMemory.Locked"/> if null.</param>
    /// <exception cref="SealingException">Memory that cannot be locked, or no libcrypto.</exception>
    public static SealingKeyPair GenerateEphemeralKeyPair(KeyKind kind, SecretMemory? memory = null)
    {
        memory ??= SecretMemory.Locked;
        if (Curve.Of(kind) is { } curve)
        {
            var (scalar, point) = EllipticKey.Generate(curve, memory);
            return new SealingKeyPair(new SealingPublicKey(kind, point), scalar, memory);
        }

        var bits = kind switch
        {
            KeyKind.Rsa3072 => 3072,
            KeyKind.Rsa4096 => 4096,
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "a kind of key is expected"),
        };
        var (secret, modulus) = RsaKey.Generate(bits, memory);
        return new SealingKeyPair(new SealingPublicKey(kind, modulus), secret, memory);
    }

    /// <summary>
    /// A key on a curve from its scalar, big-endian and as long as the field: for keys that a root of the machine derives again at each start.
    /// <paramref name="scalar"/> stays the caller's.
    /// </summary>
    /// <exception cref="SealingException">Memory that cannot be locked, or no libcrypto.</exception>
    public static bool TryOfScalar(KeyKind kind, SecretBuffer scalar, [NotNullWhen(true)] out SealingKeyPair? pair, [NotNullWhen(false)] out SealingFault? fault, SecretMemory? memory = null)
    {
        ArgumentNullException.ThrowIfNull(scalar);
        memory ??= SecretMemory.Locked;
        pair = null;
        var curve = Curve.Of(kind) ?? throw new ArgumentOutOfRangeException(nameof(kind), kind, "a curve is expected");
        fault = new SealingFault(SealingFaults.Key, $"the scalar is not {curve.FieldBytes} bytes, zero, or not below the order of {curve.Name}", "derive another one");
        if (scalar.Length != curve.FieldBytes)
        {
            return false;
        }

        var own = memory.Allocate(scalar.Length);
        using (SecretBuffer.Borrowed from = scalar.Borrow(), to = own.Borrow())
        {
            from.Bytes.CopyTo(to.Bytes);
            to.Bytes.Reverse();
        }

        if (EllipticKey.PointOf(curve, own) is not { } point)
        {
            own.Dispose();
            return false;
        }

        (pair, fault) = (new SealingKeyPair(new SealingPublicKey(kind, point), own, memory), null);
        return true;
    }

    /// <summary>A key on a curve whose private half is in a device, for instance a TPM, and never here.</summary>
    /// <param name="publicKey">The public half, on P-256, P-384 or P-521.</param>
    /// <param name="agree">
    /// Asks the device: takes the other side's point (04‖X‖Y, on the curve), and answers with the X coordinate of the shared point, big-endian and as long as the
    /// field. What it answers is disposed here.
    /// </param>
    /// <param name="memory">Where what is opened with the key goes; <see cref="SecretMemory.Locked"/> if null.</param>
    public static SealingKeyPair OfDevice(SealingPublicKey publicKey, Func<ReadOnlyMemory<byte>, SecretBuffer> agree, SecretMemory? memory = null)
    {
        ArgumentNullException.ThrowIfNull(publicKey);
        ArgumentNullException.ThrowIfNull(agree);
        return publicKey.Curve is null ? throw new ArgumentException("a key on a curve is expected", nameof(publicKey)) : new SealingKeyPair(publicKey, agree, memory ?? SecretMemory.Locked);
    }

    /// <summary>Wipes the private key, where it is here.</summary>
    public void Dispose() => _private?.Dispose();

    /// <summary>The shared secret with another key of the same curve; null where it is not on that curve.</summary>
    internal SecretBuffer? Agree(ReadOnlySpan<byte> point)
    {
        if (_agree is null)
        {
            return EllipticKey.Agree(PublicKey.Curve!, Private, PublicKey.Bytes, point, Memory);
        }

        // Not left to the device: a point off the curve asks it for something about the key.
        if (!EllipticKey.IsPoint(PublicKey.Curve!, point))
        {
            return null;
        }

        var shared = _agree(point.ToArray());
        if (shared.Length == PublicKey.Curve!.FieldBytes)
        {
            return shared;
        }

        shared.Dispose();
        throw new SealingException(new SealingFault(SealingFaults.Key, "the device answered with a shared secret of another length than the curve's field", "ask it for the X coordinate, with its leading zeros"));
    }

    /// <summary>RSAES-OAEP with SHA-256; null where it does not open.</summary>
    internal SecretBuffer? Decrypt(ReadOnlySpan<byte> text) => RsaKey.Decrypt(Private, PublicKey.Bytes, text, Memory);
}

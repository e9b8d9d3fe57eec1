using System.Security.Cryptography;
using System.Text;
using Assay.Sealing.Memory;

namespace Assay.Service.Keys;

/// <summary>
/// A record: <c>salt[24] ‖ commitment[32] ‖ ciphertext ‖ tag[16]</c>. AES-256-GCM under a key derived for this record by HKDF with SHA-384, as is the
/// commitment, so that no record opens under two keys (NIST SP 800-38D says nothing of that). Its context, which is not stored, names what it is of.
/// </summary>
public static class RecordCipher
{
    /// <summary>Bytes of a key.</summary>
    public const int KeySize = 32;

    private const int SaltSize = 24;
    private const int CommitmentSize = 32;
    private const int TagSize = 16;
    private const int NonceSize = 12;
    private const string Label = "assay record v1";

    /// <summary>Encrypts a record.</summary>
    /// <param name="key">Of any length; at least 32 bytes that cannot be guessed.</param>
    /// <param name="plain">What it holds.</param>
    /// <param name="context">What it is of. It must be the same when it is opened.</param>
    public static byte[] Seal(SecretBuffer key, ReadOnlySpan<byte> plain, string context)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentException.ThrowIfNullOrEmpty(context);
        var record = new byte[SaltSize + CommitmentSize + plain.Length + TagSize];
        var salt = record.AsSpan(0, SaltSize);
        RandomNumberGenerator.Fill(salt);
        Span<byte> derived = stackalloc byte[KeySize + NonceSize + CommitmentSize];
        Derive(key, salt, context, derived);
        derived[(KeySize + NonceSize)..].CopyTo(record.AsSpan(SaltSize));
        using (var gcm = new AesGcm(derived[..KeySize], TagSize))
        {
            gcm.Encrypt(derived.Slice(KeySize, NonceSize), plain, record.AsSpan(SaltSize + CommitmentSize, plain.Length), record.AsSpan(^TagSize..), Encoding.UTF8.GetBytes(context));
        }

        CryptographicOperations.ZeroMemory(derived);
        return record;
    }

    /// <summary>Null if the record is of another key or context, or was changed.</summary>
    public static byte[]? Open(SecretBuffer key, ReadOnlySpan<byte> record, string context)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentException.ThrowIfNullOrEmpty(context);
        if (record.Length < SaltSize + CommitmentSize + TagSize)
        {
            return null;
        }

        Span<byte> derived = stackalloc byte[KeySize + NonceSize + CommitmentSize];
        Derive(key, record[..SaltSize], context, derived);
        if (!CryptographicOperations.FixedTimeEquals(derived[(KeySize + NonceSize)..], record.Slice(SaltSize, CommitmentSize)))
        {
            CryptographicOperations.ZeroMemory(derived);
            return null;
        }

        var plain = new byte[record.Length - SaltSize - CommitmentSize - TagSize];
        try
        {
            using var gcm = new AesGcm(derived[..KeySize], TagSize);
            gcm.Decrypt(derived.Slice(KeySize, NonceSize), record.Slice(SaltSize + CommitmentSize, plain.Length), record[^TagSize..], plain, Encoding.UTF8.GetBytes(context));
            return plain;
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(derived);
        }
    }

    /// <summary>HKDF with SHA-384, without a salt.</summary>
    internal static void Derive(SecretBuffer key, ReadOnlySpan<byte> info, Span<byte> derived)
    {
        var (about, made) = (info.ToArray(), new byte[derived.Length]);
        key.Use(lease => HKDF.DeriveKey(HashAlgorithmName.SHA384, lease.Bytes, made, salt: [], about));
        made.CopyTo(derived);
        CryptographicOperations.ZeroMemory(made);
    }

    private static void Derive(SecretBuffer key, ReadOnlySpan<byte> salt, string context, Span<byte> derived)
    {
        var info = new byte[Label.Length + salt.Length + Encoding.UTF8.GetByteCount(context)];
        Encoding.ASCII.GetBytes(Label, info);
        salt.CopyTo(info.AsSpan(Label.Length));
        Encoding.UTF8.GetBytes(context, info.AsSpan(Label.Length + salt.Length));
        Derive(key, info, derived);
    }
}

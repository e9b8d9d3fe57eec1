using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Assay.Sealing.Memory;

namespace Assay.Service.Keys;

/// <summary>
/// The key that encrypts what the database holds (signing keys, stored evidence) and authenticates its audit entries. A record is
/// <c>salt[24] ‖ commitment[32] ‖ ciphertext ‖ tag[16]</c>: AES-256-GCM under a key derived for this record by HKDF with SHA-384, as is the
/// commitment, so that no record opens under two keys (NIST SP 800-38D says nothing of that). Its context, which is not stored, names what it is of.
/// </summary>
public sealed class KeyEncryptionKey : IDisposable
{
    /// <summary>Bytes of the key.</summary>
    public const int Size = 32;

    private const int SaltSize = 24;
    private const int CommitmentSize = 32;
    private const int TagSize = 16;
    private const int NonceSize = 12;
    private const string Label = "assay record v1";

    private readonly SecretBuffer _key;
    private readonly SecretBuffer _audit;

    private KeyEncryptionKey(SecretBuffer key)
    {
        _key = key;
        var derived = new byte[Size];
        DeriveAll("assay audit v1"u8, derived);
        _audit = SecretMemory.Locked.Take(derived);
        Span<byte> name = stackalloc byte[16];
        DeriveAll("assay kek name v1"u8, name);
        Id = Base64Url.EncodeToString(name);
    }

    /// <summary>Tells keys apart, and tells nothing about them.</summary>
    public string Id { get; }

    /// <summary>Reads a key from a file that nobody but its owner may read: 32 bytes as base64 in one line, as <c>assay-server init-key</c> writes it.</summary>
    /// <exception cref="ServiceException">There is no such file, others may read it, or it holds something else.</exception>
    public static KeyEncryptionKey Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        byte[] text;
        try
        {
            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & ~(UnixFileMode.UserRead | UnixFileMode.UserWrite)) != 0)
            {
                throw new ServiceException("service.kek.open", $"kek {path}: others than its owner may read or write it; chmod 600 it, and make a new key if others had access");
            }

            text = File.ReadAllBytes(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ServiceException("service.kek.missing", $"kek {path}: {exception.Message}. Make one once with assay-server init-key {path}, and back it up: without it the database cannot be read", exception);
        }

        var key = new byte[Size];
        try
        {
            var length = text.AsSpan().TrimEnd("\r\n"u8).Length;
            if (Base64.DecodeFromUtf8(text.AsSpan(0, length), key, out var read, out var written) is not System.Buffers.OperationStatus.Done || written != Size || read != length)
            {
                throw new ServiceException("service.kek.form", $"kek {path}: {Size} bytes as base64 in one line are expected, as assay-server init-key writes them");
            }

            return new KeyEncryptionKey(SecretMemory.Locked.Take(key));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(text);
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <summary>Writes a new key to a file that must not exist, mode 0600.</summary>
    /// <exception cref="IOException">The file exists or cannot be written.</exception>
    public static void Create(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        Span<byte> key = stackalloc byte[Size];
        Span<byte> text = stackalloc byte[45];
        RandomNumberGenerator.Fill(key);
        Base64.EncodeToUtf8(key, text, out _, out var written);
        text[written] = (byte)'\n';
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using (var file = new FileStream(path, options))
        {
            file.Write(text[..(written + 1)]);
            file.Flush(flushToDisk: true);
        }

        CryptographicOperations.ZeroMemory(key);
        CryptographicOperations.ZeroMemory(text);
    }

    /// <summary>Encrypts a record.</summary>
    /// <param name="plain">What it holds.</param>
    /// <param name="context">What it is of: kind and id. It must be the same when it is opened.</param>
    public byte[] Seal(ReadOnlySpan<byte> plain, string context)
    {
        ArgumentException.ThrowIfNullOrEmpty(context);
        var record = new byte[SaltSize + CommitmentSize + plain.Length + TagSize];
        var salt = record.AsSpan(0, SaltSize);
        RandomNumberGenerator.Fill(salt);
        Span<byte> derived = stackalloc byte[Size + NonceSize + CommitmentSize];
        Derive(salt, context, derived);
        derived[(Size + NonceSize)..].CopyTo(record.AsSpan(SaltSize));
        using (var gcm = new AesGcm(derived[..Size], TagSize))
        {
            gcm.Encrypt(derived.Slice(Size, NonceSize), plain, record.AsSpan(SaltSize + CommitmentSize, plain.Length), record.AsSpan(^TagSize..), Encoding.UTF8.GetBytes(context));
        }

        CryptographicOperations.ZeroMemory(derived);
        return record;
    }

    /// <summary>Opens a record; null where it is of another key or context, or was changed. The caller wipes what it gets where it is secret.</summary>
    public byte[]? Open(ReadOnlySpan<byte> record, string context)
    {
        ArgumentException.ThrowIfNullOrEmpty(context);
        if (record.Length < SaltSize + CommitmentSize + TagSize)
        {
            return null;
        }

        Span<byte> derived = stackalloc byte[Size + NonceSize + CommitmentSize];
        Derive(record[..SaltSize], context, derived);
        if (!CryptographicOperations.FixedTimeEquals(derived[(Size + NonceSize)..], record.Slice(SaltSize, CommitmentSize)))
        {
            CryptographicOperations.ZeroMemory(derived);
            return null;
        }

        var plain = new byte[record.Length - SaltSize - CommitmentSize - TagSize];
        try
        {
            using var gcm = new AesGcm(derived[..Size], TagSize);
            gcm.Decrypt(derived.Slice(Size, NonceSize), record.Slice(SaltSize + CommitmentSize, plain.Length), record[^TagSize..], plain, Encoding.UTF8.GetBytes(context));
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

    /// <summary>HMAC-SHA-256 over an audit entry, under a key derived for that alone.</summary>
    public byte[] Authenticate(ReadOnlySpan<byte> entry)
    {
        var bytes = entry.ToArray();
        return _audit.Use(lease => HMACSHA256.HashData(lease.Bytes, bytes));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _key.Dispose();
        _audit.Dispose();
    }

    private void Derive(ReadOnlySpan<byte> salt, string context, Span<byte> derived)
    {
        var info = new byte[Label.Length + salt.Length + Encoding.UTF8.GetByteCount(context)];
        Encoding.ASCII.GetBytes(Label, info);
        salt.CopyTo(info.AsSpan(Label.Length));
        Encoding.UTF8.GetBytes(context, info.AsSpan(Label.Length + salt.Length));
        DeriveAll(info, derived);
    }

    private void DeriveAll(ReadOnlySpan<byte> info, Span<byte> derived)
    {
        var (about, made) = (info.ToArray(), new byte[derived.Length]);
        _key.Use(lease => HKDF.DeriveKey(HashAlgorithmName.SHA384, lease.Bytes, made, salt: [], about));
        made.CopyTo(derived);
        CryptographicOperations.ZeroMemory(made);
    }
}

using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Assay.Sealing.Memory;

namespace Assay.Service.Keys;

/// <summary>
/// What encrypts the database of a service (signing keys, records of keys, stored evidence) and authenticates its audit entries. With the back-end
/// <c>file</c> this is the key encryption key itself. With one that keeps the key encryption key to itself (PKCS#11) it is the database's root data key:
/// random, in the database wrapped by the key encryption key, and in the locked memory of this process while it runs (<see cref="DatabaseKey"/>). The
/// secrets of the broker are under neither alone: each has a data encryption key of its own, which the back-end unwraps for each release.
/// </summary>
public sealed class KeyEncryptionKey : IDisposable
{
    /// <summary>Bytes of the key.</summary>
    public const int Size = RecordCipher.KeySize;

    /// <summary>The id of the fault that the back-end does not answer. It is no refusal: the caller comes again.</summary>
    public const string Unavailable = "service.kek.unavailable";

    private readonly SecretBuffer _key;
    private readonly SecretBuffer _audit;

    // With a file: the same key does both.
    private KeyEncryptionKey(SecretBuffer key)
        : this(key, new FileKeyWrapper(key, NameOf(key)))
    {
    }

    internal KeyEncryptionKey(FileKeyWrapper file)
        : this(file.Key, file)
    {
    }

    internal KeyEncryptionKey(SecretBuffer root, IKeyWrapper wrapper)
    {
        (_key, Wrapper) = (root, wrapper);
        var derived = new byte[Size];
        RecordCipher.Derive(_key, "assay audit v1"u8, derived);
        _audit = SecretMemory.Locked.Take(derived);
    }

    /// <summary>The key encryption key itself, and where it is.</summary>
    public IKeyWrapper Wrapper { get; }

    /// <summary>Tells key encryption keys apart, and tells nothing about them.</summary>
    public string Id => Wrapper.Id;

    /// <summary>Reads a key from a file that its owner alone may read: 32 bytes as base64 in one line, as <c>assay-server init-key</c> writes it.</summary>
    /// <exception cref="ServiceException">There is no such file, others may read it, or it holds something else.</exception>
    public static KeyEncryptionKey Read(string path) => new(ReadKey(path));

    /// <summary>The same, as a back-end.</summary>
    internal static FileKeyWrapper ReadWrapper(string path)
    {
        var key = ReadKey(path);
        return new FileKeyWrapper(key, NameOf(key));
    }

    private static SecretBuffer ReadKey(string path)
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
        catch (UnauthorizedAccessException exception)
        {
            throw new ServiceException("service.kek.open", $"kek {path}: the user {Environment.UserName} may not read it; give it to that user (chown), mode 0600", exception);
        }
        catch (IOException exception)
        {
            throw new ServiceException("service.kek.missing", $"kek {path}: {exception.Message.TrimEnd('.')}. Make one once with assay-server init-key {path}, and back it up: without it the database cannot be read", exception);
        }

        return Parse(path, text);
    }

    /// <summary>Writes a new key to a file that must not exist, mode 0600.</summary>
    /// <exception cref="IOException">The file exists or cannot be written.</exception>
    public static void Create(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        Span<byte> key = stackalloc byte[Size];
        RandomNumberGenerator.Fill(key);
        Write(path, key);
        CryptographicOperations.ZeroMemory(key);
    }

    /// <summary>
    /// Copies a key out of a file that others may read into one that its owner alone may, mode 0600: an orchestrator hands secrets over in files of a group,
    /// and runs what prepares a start again. What is there already must be the same key.
    /// </summary>
    /// <exception cref="ServiceException">The first file holds something else, or the second one another key.</exception>
    /// <exception cref="IOException">A file cannot be read or written.</exception>
    /// <exception cref="UnauthorizedAccessException">A file may not be read or written.</exception>
    public static void Take(string from, string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(from);
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var taken = new KeyEncryptionKey(Parse(from, File.ReadAllBytes(from)));
        if (File.Exists(path))
        {
            using var there = new KeyEncryptionKey(Parse(path, File.ReadAllBytes(path)));
            if (there.Id != taken.Id)
            {
                throw new ServiceException("service.kek.create", $"{path} holds another key: what the database has under it could not be read any more. Move it away yourself where that is meant");
            }
        }

        // Never without one: the file is whole before it has the name.
        var part = $"{path}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}";
        try
        {
            taken._key.Use(lease => Write(part, lease.Bytes));
            File.Move(part, path, overwrite: true);
        }
        finally
        {
            File.Delete(part);
        }
    }

    private static SecretBuffer Parse(string path, byte[] text)
    {
        var key = new byte[Size];
        try
        {
            var length = text.AsSpan().TrimEnd("\r\n"u8).Length;
            if (Base64.DecodeFromUtf8(text.AsSpan(0, length), key, out var read, out var written) is not System.Buffers.OperationStatus.Done || written != Size || read != length)
            {
                throw new ServiceException("service.kek.form", $"kek {path}: {Size} bytes as base64 in one line are expected, as assay-server init-key writes them");
            }

            return SecretMemory.Locked.Take(key);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(text);
            CryptographicOperations.ZeroMemory(key);
        }
    }

    private static void Write(string path, ReadOnlySpan<byte> key)
    {
        Span<byte> text = stackalloc byte[45];
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

        CryptographicOperations.ZeroMemory(text);
    }

    /// <summary>Encrypts a record.</summary>
    /// <param name="plain">What it holds.</param>
    /// <param name="context">What it is of: kind and id. It must be the same when it is opened.</param>
    public byte[] Seal(ReadOnlySpan<byte> plain, string context) => RecordCipher.Seal(_key, plain, context);

    /// <summary>Opens a record; null where it is of another key or context, or was changed. The caller wipes what it gets where it is secret.</summary>
    public byte[]? Open(ReadOnlySpan<byte> record, string context) => RecordCipher.Open(_key, record, context);

    /// <summary>Encrypts a secret under a data encryption key of its own, which the back-end wraps.</summary>
    /// <param name="secret">What it holds. The caller wipes it.</param>
    /// <param name="context">What it is of: kind and id. It must be the same when it is opened.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="ServiceException"><see cref="Unavailable"/>: the back-end does not answer.</exception>
    public async Task<byte[]> SealSecretAsync(ReadOnlyMemory<byte> secret, string context, CancellationToken cancellation) =>
        (await Envelope.SealAsync(Wrapper, secret, context, cancellation).ConfigureAwait(false)).ToBytes();

    /// <summary>Opens such a secret, with one operation of the back-end; null if it is of another key or context, or was changed. The caller wipes it.</summary>
    /// <exception cref="ServiceException"><see cref="Unavailable"/>: the back-end does not answer.</exception>
    public async Task<byte[]?> OpenSecretAsync(ReadOnlyMemory<byte> kept, string context, CancellationToken cancellation)
    {
        if (Envelope.TryParse(kept, out var envelope))
        {
            return await envelope.OpenAsync(Wrapper, context, cancellation).ConfigureAwait(false);
        }

        // As the first brokers kept secrets: directly under the key of the file. Other back-ends never had them.
        return Wrapper is FileKeyWrapper ? Open(kept.Span, context) : null;
    }

    /// <summary>HMAC-SHA-256 over an audit entry, under a key derived for that alone.</summary>
    public byte[] Authenticate(ReadOnlySpan<byte> entry) => Authenticate(_audit, entry);

    internal static byte[] Authenticate(SecretBuffer key, ReadOnlySpan<byte> entry)
    {
        var bytes = entry.ToArray();
        return key.Use(lease => HMACSHA256.HashData(lease.Bytes, bytes));
    }

    /// <summary>The key of <see cref="Authenticate(ReadOnlySpan{byte})"/>, for the record that keeps it after a re-wrap. The caller wipes it.</summary>
    internal byte[] ExportAuditKey() => _audit.Use(lease => lease.Bytes.ToArray());

    /// <inheritdoc/>
    public void Dispose()
    {
        _key.Dispose();
        _audit.Dispose();
    }

    private static string NameOf(SecretBuffer key)
    {
        Span<byte> name = stackalloc byte[16];
        RecordCipher.Derive(key, "assay kek name v1"u8, name);
        return Base64Url.EncodeToString(name);
    }
}

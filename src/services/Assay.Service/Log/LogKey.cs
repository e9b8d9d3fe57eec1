using System.Security.Cryptography;
using Assay.Log;
using Assay.Service.Keys;

namespace Assay.Service.Log;

/// <summary>The key that signs a log's checkpoints, ECDSA on P-256: encrypted in the database, in this process while it runs.</summary>
internal sealed class LogKey : IDisposable
{
    // The first line of a checkpoint is the log's origin.
    internal static SealedColumn Sealed { get; } = new("keys of logs", "log_state", ["id"], "key_sealed", values => Context(values[1].Split('\n')[0])) { More = ["checkpoint"] };

    private readonly ECDsa _key;
    private readonly string _origin;

    private LogKey(string origin, ECDsa key) => (_origin, _key, Public) = (origin, key, NoteKey.Of(origin, key));

    /// <summary>What those who verify have.</summary>
    public NoteKey Public { get; }

    /// <summary>A new key, and how it is kept.</summary>
    public static (LogKey Key, byte[] Sealed) Create(string origin, KeyEncryptionKey kek)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var pkcs8 = key.ExportPkcs8PrivateKey();
        try
        {
            return (new LogKey(origin, key), kek.Seal(pkcs8, Context(origin)));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(pkcs8);
        }
    }

    /// <summary>The key as it was kept.</summary>
    /// <exception cref="ServiceException">It is under another key encryption key, or of another origin.</exception>
    public static LogKey Open(string origin, byte[] kept, KeyEncryptionKey kek)
    {
        if (kek.Open(kept, Context(origin)) is not { } pkcs8)
        {
            throw new ServiceException("service.log.key", $"the key of the log {origin} does not open: it is under another key encryption key, or of a log with another origin");
        }

        try
        {
            var key = ECDsa.Create();
            key.ImportPkcs8PrivateKey(pkcs8, out _);
            return new LogKey(origin, key);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(pkcs8);
        }
    }

    /// <summary>Signs a checkpoint.</summary>
    public string Sign(Checkpoint checkpoint) => SignedNote.Sign(checkpoint.ToString(), _origin, _key);

    public void Dispose()
    {
        Public.Dispose();
        _key.Dispose();
    }

    private static string Context(string origin) => $"log-key/{origin}";
}

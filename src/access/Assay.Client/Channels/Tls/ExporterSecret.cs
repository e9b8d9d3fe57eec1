using System.Security.Cryptography;
using System.Text;

namespace Assay.Client.Channels.Tls;

/// <summary>The exporter of one TLS 1.3 connection (RFC 8446 §7.5), for contexts that are known only after the handshake. Wiped when it is disposed.</summary>
/// <param name="secret">exporter_master_secret; wiped here.</param>
/// <param name="hash">Of the cipher suite.</param>
internal sealed class ExporterSecret(byte[] secret, HashAlgorithmName hash) : IDisposable
{
    public byte[] Export(string label, ReadOnlySpan<byte> context, int size)
    {
        var digest = hash == HashAlgorithmName.SHA384 ? SHA384.HashSizeInBytes : SHA256.HashSizeInBytes;
        var derived = Expand(secret, label, Hash([]), digest);
        try
        {
            return Expand(derived, "exporter", Hash(context), size);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(derived);
        }
    }

    public void Dispose() => CryptographicOperations.ZeroMemory(secret);

    private byte[] Hash(ReadOnlySpan<byte> data) => CryptographicOperations.HashData(hash, data);

    // HKDF-Expand-Label (RFC 8446 §7.1): length, "tls13 " and the label, the context.
    private byte[] Expand(byte[] key, string label, byte[] context, int size)
    {
        var name = Encoding.ASCII.GetBytes($"tls13 {label}");
        byte[] info = [(byte)(size >> 8), (byte)size, (byte)name.Length, .. name, (byte)context.Length, .. context];
        return HKDF.Expand(hash, key, size, info);
    }
}

using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Cli.Tokens;

/// <summary>Private keys in files: read into one buffer that is zeroed, written for their owner alone and over nothing.</summary>
internal static class SigningKeyFile
{
    private const UnixFileMode Others =
        UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    // As strong as P-256 (SP 800-57 part 1, table 2).
    private const int RsaBits = 3072;

    /// <summary>For what keys are made, the default first.</summary>
    public static string[] Algorithms { get; } = ["es384", "es256", "rs256"];

    public static bool TryRead(string path, [NotNullWhen(true)] out SigningKey? key, [NotNullWhen(false)] out string? whyNot)
    {
        key = null;
        var buffer = new byte[Limits.SigningKeyBytes + 1];
        try
        {
            using var stream = InputFile.Open(path);
            var length = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            if (!SigningKey.TryParse(buffer.AsSpan(0, length), out key, out var fault))
            {
                whyNot = $"{path}: {fault.Field}: {fault.Problem}";
                return false;
            }

            // Secret mounts of containers are often readable for all, so this is said and not refused.
            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(stream.SafeFileHandle) & Others) != 0)
            {
                Output.Error("cli.signing-key", $"warning: other users of this machine can read {path}: chmod 600 it");
            }

            whyNot = null;
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // ArgumentException: not a path, for example the empty text of a variable that is not set.
            whyNot = $"{path}: {(exception is FileNotFoundException or DirectoryNotFoundException ? "no such file" : exception.Message)}";
            return false;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(buffer);
        }
    }

    /// <summary>Makes a key for one of <see cref="Algorithms"/>, writes it as PKCS#8, and tells its public half.</summary>
    public static bool TryMake(string path, string algorithm, [NotNullWhen(true)] out JsonWebKey? publicKey, [NotNullWhen(false)] out string? whyNot)
    {
        publicKey = null;
        using AsymmetricAlgorithm made = algorithm switch
        {
            "rs256" => RSA.Create(RsaBits),
            "es256" => ECDsa.Create(ECCurve.NamedCurves.nistP256),
            _ => ECDsa.Create(ECCurve.NamedCurves.nistP384),
        };
        var der = made.ExportPkcs8PrivateKey();
        var pem = PemEncoding.WriteUtf8("PRIVATE KEY"u8, der);
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0 };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            using var stream = new FileStream(path, options);
            stream.Write(pem);
            stream.Write("\n"u8);
            stream.Flush(flushToDisk: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            whyNot = $"{path}: {(File.Exists(path) ? "the file exists, and keys are never overwritten" : exception.Message)}";
            return false;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(der);
            CryptographicOperations.ZeroMemory(pem);
        }

        if (!TryRead(path, out var key, out whyNot))
        {
            return false;
        }

        using (key)
        {
            publicKey = key.PublicKey;
            return true;
        }
    }
}

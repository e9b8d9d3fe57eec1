using System.CommandLine;
using System.Security.Cryptography;
using System.Text;
using Assay.Appraisal.Devices;
using Assay.Cli.Verify;
using Assay.Policy;
using Assay.Tokens;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Cli.Tokens;

/// <summary>The part of <c>assay verify</c> that writes the verdict as a token.</summary>
internal sealed class TokenOutput : IDisposable
{
    private readonly SigningKey _key;
    private readonly string _path;
    private readonly string _format;

    private TokenOutput(SigningKey key, string path, string format, TokenIssuer issuer) => (_key, _path, _format, Issuer) = (key, path, format, issuer);

    private TokenIssuer Issuer { get; }

    private string? Audience { get; init; }

    private TimeSpan Lifetime { get; init; }

    private ClaimsVersion Claims { get; init; }

    /// <summary>Null when no token is asked for, or something about it cannot be meant, which was then refused.</summary>
    public static TokenOutput? Read(VerifyOptions options, ParseResult parsed, TrustSetKind anchors, Action<string, string> refuse)
    {
        var (path, keyFile, issuerText) = (parsed.GetValue(options.EatOut), parsed.GetValue(options.SigningKey), parsed.GetValue(options.Issuer));
        var (audience, lifetime) = (parsed.GetValue(options.Audience), parsed.GetValue(options.TokenLifetime));
        if (path is null)
        {
            if (keyFile is not null || issuerText is not null || audience is not null)
            {
                refuse("cli.token", "--signing-key, --issuer and --audience belong to --eat-out FILE");
            }

            return null;
        }

        if (keyFile is null || issuerText is null)
        {
            refuse("cli.token", "--eat-out needs --signing-key FILE (assay token keygen makes one) and --issuer URI");
            return null;
        }

        if (path.Length == 0)
        {
            refuse("cli.token", "--eat-out: the file name is empty (an unset variable?)");
            return null;
        }

        if (audience is { Length: 0 or > Limits.TokenNameCharacters })
        {
            refuse("cli.token", $"--audience: 1 to {Limits.TokenNameCharacters} characters are expected, found {audience.Length}");
            return null;
        }

        if (!TokenIssuer.TryParse(issuerText, out var issuer, out var fault))
        {
            refuse("cli.issuer", $"--issuer: {fault.Problem}");
            return null;
        }

        if (anchors is TrustSetKind.Simulated && !issuer.IsLoopback)
        {
            refuse("cli.issuer", "--issuer: tokens about simulated devices carry a loopback issuer, for example http://127.0.0.1");
            return null;
        }

        if (!SigningKeyFile.TryRead(keyFile, out var key, out var whyNot))
        {
            refuse("cli.signing-key", whyNot);
            return null;
        }

        return new TokenOutput(key, path, parsed.GetValue(options.TokenFormat) ?? "eat", issuer)
        {
            Audience = audience,
            Lifetime = TimeSpan.FromSeconds(lifetime),
            Claims = parsed.GetValue(options.Claims) == "4.0" && parsed.GetResult(options.Claims) is { Implicit: false } ? ClaimsVersion.V4 : ClaimsVersion.V3,
        };
    }

    /// <summary>Whether it was written; if not, that was said on standard error.</summary>
    public bool TryWrite(Verdict verdict, TimeProvider clock)
    {
        var terms = new TokenTerms { Issuer = Issuer, IssuedAt = clock.GetUtcNow(), Audience = Audience, Lifetime = Lifetime, Claims = Claims };
        if (!TryMake(verdict, terms, out var bytes, out var fault))
        {
            Output.Error("token.not-written", $"{fault.Field}: {fault.Problem}");
            return false;
        }

        try
        {
            using var stream = Open(_path);
            if (stream.CanSeek)
            {
                if (!IsTokenOrEmpty(stream))
                {
                    Output.Error("token.not-written", $"{_path}: the file exists and is not a token, so it is not overwritten");
                    return false;
                }

                stream.SetLength(0);
            }

            stream.Write(bytes);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Output.Error("token.not-written", $"{_path}: {exception.Message}");
            return false;
        }
    }

    /// <summary>Where it went, and what it is.</summary>
    public override string ToString() => $"{_path} ({_format}, by {Issuer}{(Audience is null ? "" : $", for {Audience}")}, good for {Lifetime.TotalSeconds:0} seconds)";

    public void Dispose() => _key.Dispose();

    // A token without a key in it is a credential: a new file is its owner's alone, and made where nothing stands, not even a link to nothing.
    private static FileStream Open(string path)
    {
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, BufferSize = 0 };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            return new FileStream(path, options);
        }
        catch (IOException) when (File.Exists(path))
        {
            return new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
    }

    // The signing key, evidence, or what a stranger's link leads to: none of them is worth an older token.
    private static bool IsTokenOrEmpty(FileStream stream)
    {
        var bundle = "[[\"JWT\",\""u8;
        var jws = "eyJ"u8;
        Span<byte> start = stackalloc byte[bundle.Length];
        start = start[..stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        stream.Position = 0;
        return start.IsEmpty || start.SequenceEqual(bundle) || start.StartsWith(jws);
    }

    private bool TryMake(
        Verdict verdict, TokenTerms terms,
        [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out byte[]? bytes, [System.Diagnostics.CodeAnalysis.NotNullWhen(false)] out ParseFault? fault)
    {
        if (_format is "eat")
        {
            return EatBundleWriter.TryWrite(verdict, terms, _key, RandomNumberGenerator.Fill, out bytes, out fault);
        }

        string? token;
        var written = _format switch
        {
            "assay-eat" => EatWriter.TryWrite(verdict, terms, _key, RandomNumberGenerator.Fill, out token, out fault),
            "nvidia-ear" => NvidiaEar.TryWrite(verdict, terms, _key, RandomNumberGenerator.Fill, out token, out fault),
            _ => TrusteeEar.TryWrite(verdict, terms, _key, RandomNumberGenerator.Fill, out token, out fault),
        };
        bytes = written ? Encoding.ASCII.GetBytes(token!) : null;
        return written;
    }
}

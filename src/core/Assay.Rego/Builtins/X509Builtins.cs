using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Assay.Rego.Builtins.Crypto;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>X.509 certificates, requests and key pairs, in the shape that Go's structures have in JSON.</summary>
internal static class X509Builtins
{
    private const int MaxCertificates = 32;
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    public static readonly Builtin[] All =
    [
        new("crypto.x509.parse_certificates", [RegoTypes.String], RegoTypes.Array, ParseCertificates),
        new("crypto.x509.parse_certificate_request", [RegoTypes.String], RegoTypes.Object, ParseRequest),
        new("crypto.x509.parse_keypair", [RegoTypes.String, RegoTypes.String], RegoTypes.Object, ParseKeyPair),
        new("crypto.x509.parse_and_verify_certificates", [RegoTypes.String], RegoTypes.Array, (context, arguments) => ParseAndVerify(context, arguments, RegoObject.Empty)) { Nondeterministic = true },
        new("crypto.x509.parse_and_verify_certificates_with_options", [RegoTypes.String, RegoTypes.Object], RegoTypes.Array, (context, arguments) => context.TryObject(arguments, 1, out var options) ? ParseAndVerify(context, arguments, options) : null) { Nondeterministic = true },
    ];

    private static bool TryDecode(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, int index, string label, out List<byte[]> items)
    {
        items = [];
        if (!context.TryString(arguments, index, out var text))
        {
            return false;
        }

        JwtBuiltins.Count(context, text.Value.Length);
        if (!PemText.TryDecode(text.Value, label, out var found, out var fault))
        {
            context.Fail(fault);
            return false;
        }

        items = found;
        return true;
    }

    private static bool TryCertificates(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, out List<X509Certificate2> certificates)
    {
        certificates = [];
        if (!TryDecode(context, arguments, 0, "CERTIFICATE", out var items))
        {
            return false;
        }

        // Certificates in DER may follow one another.
        var all = items.SelectMany(CertificateJson.SplitSequence).Take(MaxCertificates + 1).ToList();
        if (all.Count > MaxCertificates)
        {
            context.Fail($"more than {MaxCertificates} certificates");
            return false;
        }

        foreach (var der in all)
        {
            if (Load(der) is not { } certificate)
            {
                Dispose(certificates);
                context.Fail("x509: malformed certificate");
                return false;
            }

            certificates.Add(certificate);
        }

        return true;
    }

    private static X509Certificate2? Load(byte[] der)
    {
        try
        {
            return X509CertificateLoader.LoadCertificate(der);
        }
        catch (CryptographicException)
        {
            // The framework refuses a certificate by throwing; it ends here.
            return null;
        }
    }

    private static void Dispose(List<X509Certificate2> certificates) => certificates.ForEach(certificate => certificate.Dispose());

    private static RegoValue? ParseCertificates(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!TryCertificates(context, arguments, out var certificates))
        {
            return null;
        }

        var shown = Shown(certificates);
        Dispose(certificates);
        return shown ?? context.Fail("x509: malformed certificate");
    }

    private static RegoArray? Shown(IEnumerable<X509Certificate2> certificates)
    {
        var shown = new List<RegoValue>();
        foreach (var certificate in certificates)
        {
            if (CertificateJson.TryWrite(certificate) is not { } members)
            {
                return null;
            }

            shown.Add(members);
        }

        return RegoArray.From(shown);
    }

    private static RegoValue? ParseRequest(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!TryDecode(context, arguments, 0, "CERTIFICATE REQUEST", out var items))
        {
            return null;
        }

        return CertificateJson.TryWriteRequest(items[0]) ?? context.Fail("asn1: structure error: malformed certificate request");
    }

    private static RegoValue? ParseKeyPair(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!TryDecode(context, arguments, 0, "CERTIFICATE", out var certificates) || !context.TryString(arguments, 1, out var key))
        {
            return null;
        }

        JwtBuiltins.Count(context, key.Value.Length);
        var pem = key.Value.Contains("-----BEGIN", StringComparison.Ordinal) || !Base64Text.TryDecode(key.Value, out var bytes, out _)
            ? key.Value
            : System.Text.Encoding.UTF8.GetString(bytes);
        using var leaf = Load(certificates[0]);
        if (leaf is null || !PemText.TryFirst(pem, out var block, out _))
        {
            return context.Fail(leaf is null ? "x509: malformed certificate" : "tls: failed to find any PEM data in key input");
        }

        using var rsa = PrivateKeys.TryReadRsa(block);
        using var ec = rsa is null ? PrivateKeys.TryReadEc(block) : null;
        if (rsa is null && ec is null)
        {
            return context.Fail("tls: failed to parse private key");
        }

        if (!Matches(leaf, rsa, ec))
        {
            return context.Fail("tls: private key does not match public key");
        }

        return RegoObject.Of(
            ("Certificate", RegoArray.From(certificates.Select(der => new RegoString(Convert.ToBase64String(der))))),
            ("PrivateKey", rsa is not null ? PrivateKeys.GoRsa(rsa.ExportParameters(true)) : PrivateKeys.GoEc(ec!.ExportParameters(true))),
            ("OCSPStaple", RegoNull.Value),
            ("SignedCertificateTimestamps", RegoNull.Value),
            ("SupportedSignatureAlgorithms", RegoNull.Value),
            ("Leaf", RegoNull.Value));
    }

    private static bool Matches(X509Certificate2 leaf, RSA? rsa, ECDsa? ec)
    {
        using var rsaPublic = leaf.GetRSAPublicKey();
        using var ecPublic = leaf.GetECDsaPublicKey();
        return rsa is not null
            ? rsaPublic is not null && rsa.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(rsaPublic.ExportSubjectPublicKeyInfo())
            : ecPublic is not null && ec!.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(ecPublic.ExportSubjectPublicKeyInfo());
    }

    /// <summary>The first certificate is the root to trust, the last the leaf, those between are intermediates.</summary>
    private static RegoValue? ParseAndVerify(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, RegoObject options)
    {
        if (!ChainOptions.TryRead(context, options, out var wanted) || !TryCertificates(context, arguments, out var certificates))
        {
            return null;
        }

        var refused = RegoArray.Of(RegoBoolean.False, RegoArray.Empty);
        try
        {
            if (certificates.Count < 2)
            {
                return refused;
            }

            var chain = Build(certificates, wanted);
            return chain is not null && Shown(chain) is { } shown ? RegoArray.Of(RegoBoolean.True, shown) : refused;
        }
        catch (CryptographicException)
        {
            // What the framework will not build a chain of verifies nothing.
            return refused;
        }
        finally
        {
            Dispose(certificates);
        }
    }

    private static List<X509Certificate2>? Build(List<X509Certificate2> certificates, ChainOptions options)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(certificates[0]);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTime = options.At.LocalDateTime;
        chain.ChainPolicy.VerificationTimeIgnored = false;
        foreach (var certificate in certificates.Skip(1).SkipLast(1))
        {
            chain.ChainPolicy.ExtraStore.Add(certificate);
        }

        var leaf = certificates[^1];
        if (!chain.Build(leaf) || !options.UsageFits(chain.ChainElements.Select(element => element.Certificate)) || (options.Name is { } name && !leaf.MatchesHostname(name, allowWildcards: true, allowCommonName: false)))
        {
            return null;
        }

        return [.. chain.ChainElements.Select(element => certificates.Find(known => known.RawDataMemory.Span.SequenceEqual(element.Certificate.RawDataMemory.Span))!)];
    }

    private sealed record ChainOptions(DateTimeOffset At, string? Name, List<string>? Usages)
    {
        public static bool TryRead(BuiltinContext context, RegoObject given, out ChainOptions options)
        {
            options = new ChainOptions(default, null, [ServerAuthentication]);
            long? time = null;
            foreach (var (key, value) in given)
            {
                switch ((key as RegoString)?.Value, value)
                {
                    case ("DNSName", RegoString name):
                        options = options with { Name = name.Value };
                        break;
                    case ("CurrentTime", RegoNumber now) when now.TryGetInt64(out var nanoseconds):
                        time = nanoseconds;
                        break;
                    case ("MaxConstraintComparisons", RegoNumber):
                        break;
                    case ("KeyUsages", RegoArray or RegoSet) when TryUsages(value, out var usages):
                        options = options with { Usages = usages };
                        break;
                    default:
                        context.Fail($"invalid key option or value: {key}");
                        return false;
                }
            }

            time ??= context.NowNanoseconds();
            if (time is { } instant)
            {
                options = options with { At = DateTimeOffset.UnixEpoch.AddTicks(instant / 100) };
            }

            return time is not null;
        }

        /// <summary>One of the usages that are asked for must be left over when each certificate of the chain has named its own: Go nests them.</summary>
        public bool UsageFits(IEnumerable<X509Certificate2> chain)
        {
            if (Usages is null)
            {
                return true;
            }

            var left = Usages;
            foreach (var extension in chain.SelectMany(certificate => certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>()))
            {
                var named = extension.EnhancedKeyUsages.Cast<Oid>().Select(oid => oid.Value).ToHashSet();
                left = named.Contains("2.5.29.37.0") ? left : left.FindAll(named.Contains);
            }

            return left.Count > 0;
        }

        private static bool TryUsages(RegoValue value, out List<string>? usages)
        {
            usages = [];
            foreach (var item in value is RegoArray array ? array.Items : ((RegoSet)value).Items)
            {
                var oid = (item as RegoString)?.Value switch
                {
                    "KeyUsageAny" => "",
                    "KeyUsageServerAuth" => ServerAuthentication,
                    "KeyUsageClientAuth" => "1.3.6.1.5.5.7.3.2",
                    "KeyUsageCodeSigning" => "1.3.6.1.5.5.7.3.3",
                    "KeyUsageEmailProtection" => "1.3.6.1.5.5.7.3.4",
                    "KeyUsageTimeStamping" => "1.3.6.1.5.5.7.3.8",
                    "KeyUsageOCSPSigning" => "1.3.6.1.5.5.7.3.9",
                    _ => null,
                };
                if (oid is null)
                {
                    return false;
                }

                usages.Add(oid);
            }

            usages = usages.Contains("") ? null : usages;
            return true;
        }
    }
}

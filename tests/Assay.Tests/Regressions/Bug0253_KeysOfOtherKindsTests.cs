using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Assay.Tests.Cli;
using Assay.Trust.Jose;

namespace Assay.Tests.Regressions;

/// <summary>253: where a private key is expected every other file had one message, and <c>policy eval</c> took evidence for a policy's input without a word.</summary>
public sealed class Bug0253_KeysOfOtherKindsTests : IDisposable
{
    private static readonly AssayCommand s_assay = new();

    private readonly string _folder = Directory.CreateTempSubdirectory("assay-keys-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<string, byte[], string, string> Keys
    {
        get
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
            var request = new CertificateRequest("CN=site", key, HashAlgorithmName.SHA384);
            using var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(50));
            var pbe = new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000);
            return new()
            {
                { "cert.pem", Text(certificate.ExportCertificatePem()), "certificates (PEM)", "only the public half" },
                { "cert.der", certificate.RawData, "a certificate (DER)", "only the public half" },
                { "request.pem", Text(request.CreateSigningRequestPem()), "a certificate request", "only the public half" },
                { "public.pem", Text(key.ExportSubjectPublicKeyInfoPem()), "a public key", "only the public half" },
                { "public.der", key.ExportSubjectPublicKeyInfo(), "a public key", "only the public half" },
                { "public.json", "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"\",\"y\":\"\"}"u8.ToArray(), "a public key (JWK)", "only the public half" },
                { "keys.json", "{\"keys\":[]}"u8.ToArray(), "a key set (JWKS)", "only the public half" },
                { "encrypted.pem", Text(key.ExportEncryptedPkcs8PrivateKeyPem("x", pbe)), "a password-protected private key", "openssl pkey -in FILE" },
                { "encrypted.der", key.ExportEncryptedPkcs8PrivateKey("x", pbe), "a password-protected private key", "openssl pkey -in FILE" },
                { "old.pem", "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n"u8.ToArray(), "a password-protected private key", "openssl pkey -in FILE" },
                { "key.p12", certificate.Export(X509ContentType.Pkcs12, "x"), "a password-protected PKCS#12 file", "openssl pkcs12 -in FILE -nocerts -noenc" },
                { "key.der", key.ExportPkcs8PrivateKey(), "a private key", "openssl pkey -inform DER" },
                { "sec1.der", key.ExportECPrivateKey(), "a private key", "openssl pkey -inform DER" },
                { "ssh.pem", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"u8.ToArray(), "a private key", "ssh-keygen -p -m PKCS8" },
                { "quote.bin", Cpu.SimulatedCpu.Tdx(4, false).Quote, "a TDX quote", "-----BEGIN PRIVATE KEY-----" },
            };
        }
    }

    [Theory]
    [MemberData(nameof(Keys))]
    public void What_is_given_for_a_private_key_is_named_with_the_cure(string name, byte[] file, string named, string cure)
    {
        Assert.False(SigningKey.TryParse(file, out _, out var fault), name);

        Assert.Contains($"this is {named}", fault.Problem, StringComparison.Ordinal);
        Assert.Contains(cure, fault.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_command_that_signs_says_so()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var path = Write("public.pem", Text(key.ExportSubjectPublicKeyInfoPem()));
        var quote = Write("quote.bin", Cpu.SimulatedCpu.Tdx(4, false).Quote);
        string[][] commands =
        [
            ["token", "jwks", "--signing-key", path],
            ["measure", "--from", quote, "--name", "n", "--image-version", "1", "--sequence", "1", "--valid-for", "1", "--signing-key", path, "--out", Path.Combine(_folder, "out.jws")],
            ["bundle", "create", "--for", quote, "--key", path, "--sequence", "1", "--intel-url", "none", "--out", Path.Combine(_folder, "out.bundle")],
            ["verify", "--cpu-evidence", quote, "--eat-out", Path.Combine(_folder, "out.eat"), "--signing-key", path, "--issuer", "https://as.example.org"],
        ];

        Assert.All(commands, command => Assert.Contains("this is a public key (PEM or DER), which is only the public half", s_assay.Says(2, command), StringComparison.Ordinal));
    }

    [Fact]
    public void Policy_eval_names_what_no_policy_judges()
    {
        var policy = Write("policy.rego", "package policy\nimport rego.v1\ndefault allow := false\nallow if input[0].measres == \"success\"\n"u8.ToArray());
        string[] command = ["policy", "eval", "--policy", policy, "--query", "data.policy.allow"];

        var claims = s_assay.Says(0, [.. command, "--input", Write("claims.json", "[{\"measres\":\"success\"}]"u8.ToArray())]);
        Assert.DoesNotContain("warning", claims, StringComparison.Ordinal);

        // Any JSON can be a policy's input: it is evaluated, and said.
        var devices = s_assay.Run([.. command, "--input", Write("devices.json", WrongFiles.All.Single(item => item.Name == "devices.json").File)]).Output;
        Assert.Contains("warning: devices.json: this is evidence of GPUs or switches; --input takes the input of a policy", devices, StringComparison.Ordinal);

        foreach (var name in (string[])["quote.bin", "token.jwt", "policy.rego", "page.html", "private.pem"])
        {
            var file = WrongFiles.All.Single(item => item.Name == name);
            var answer = s_assay.Says(2, [.. command, "--input", Write("given." + name, file.File)]);
            Assert.Contains($"this is {file.Named}", Assert.Single(answer.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        }
    }

    private string Write(string name, byte[] file)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, file);
        return path;
    }

    private static byte[] Text(string text) => Encoding.ASCII.GetBytes(text);
}

using Assay.Trust;
using Assay.Wire;

namespace Assay.Tests.Trust.Revocation;

/// <summary>A CA that OpenSSL made and answers for, offline: certificates, an index of their status, responders, lists.</summary>
internal sealed class PeerAuthority : IDisposable
{
    private const string Configuration = """
        [req]
        distinguished_name = dn
        string_mask = utf8only
        [dn]
        [root]
        basicConstraints = critical,CA:TRUE
        keyUsage = critical,keyCertSign,cRLSign
        subjectKeyIdentifier = hash
        [device]
        keyUsage = critical,digitalSignature
        subjectKeyIdentifier = hash
        authorityKeyIdentifier = keyid
        [responder]
        keyUsage = critical,digitalSignature
        extendedKeyUsage = OCSPSigning
        noCheck = ignored
        authorityKeyIdentifier = keyid
        [ca]
        default_ca = peer
        [peer]
        database = {0}/index.txt
        crlnumber = {0}/crlnumber
        certificate = {0}/ca.pem
        private_key = {0}/ca.key
        default_md = sha384
        default_crl_days = 30
        crl_extensions = crl
        [crl]
        authorityKeyIdentifier = keyid
        """;

    private readonly Peer _openssl = Peer.Require("openssl");
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-ocsp-").FullName;

    public PeerAuthority()
    {
        File.WriteAllText(At("openssl.cnf"), Configuration.Replace("{0}", _folder, StringComparison.Ordinal));
        File.WriteAllText(At("crlnumber"), "1A\n");
        File.WriteAllText(At("index.txt.attr"), "unique_subject = no\n");
        File.WriteAllText(At("index.txt"),
            "V\t350101000000Z\t\t9A01\tunknown\t/CN=good\n"
            + "R\t350101000000Z\t250601000000Z,keyCompromise\t9A02\tunknown\t/CN=revoked\n"
            + "R\t350101000000Z\t250602000000Z,certificateHold\t9A03\tunknown\t/CN=held\n"
            + "R\t350101000000Z\t250603000000Z\t9A05\tunknown\t/CN=unexplained\n");
        Run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1", "-nodes", "-sha384", "-days", "3650", "-subj", "/CN=Peer CA", "-config", At("openssl.cnf"), "-extensions", "root", "-keyout", At("ca.key"), "-out", At("ca.pem"));
        Issue("good", "9A01", "device");
        Issue("revoked", "9A02", "device");
        Issue("held", "9A03", "device");
        Issue("strange", "9A04", "device");
        Issue("unexplained", "9A05", "device");
        Issue("responder", "9A10", "responder");
        Authority = Read("ca");
    }

    public Certificate Authority { get; }

    public string At(string file) => Path.Combine(_folder, file);

    public Certificate Read(string name)
    {
        Assert.True(Pem.TryDecode(File.ReadAllBytes(At($"{name}.pem")), out var blocks, out var why), why?.ToString());
        Assert.True(Certificate.TryParse(blocks[0].Span, out var certificate, out why), why?.ToString());
        return certificate!;
    }

    /// <summary>OpenSSL's answer, as its responder <paramref name="signer"/> gives it, to our request.</summary>
    public byte[] Answer(byte[] request, string signer, params string[] options)
    {
        File.WriteAllBytes(At("request.der"), request);
        File.Delete(At("response.der"));
        Run(["ocsp", "-index", At("index.txt"), "-CA", At("ca.pem"), "-rsigner", At($"{signer}.pem"), "-rkey", At($"{signer}.key"), "-rmd", "sha384", "-reqin", At("request.der"), "-respout", At("response.der"), .. options]);
        return File.ReadAllBytes(At("response.der"));
    }

    /// <summary>What OpenSSL thinks of a response about a certificate.</summary>
    public string Verdict(byte[] response, string name)
    {
        File.WriteAllBytes(At("judged.der"), response);
        return _openssl.Run("ocsp", "-respin", At("judged.der"), "-issuer", At("ca.pem"), "-cert", At($"{name}.pem"), "-CAfile", At("ca.pem"), "-no_nonce").Output.Replace(_folder, "", StringComparison.Ordinal);
    }

    public string Run(params string[] arguments)
    {
        var (code, output) = _openssl.Run(arguments);
        Assert.True(code == 0, $"openssl {string.Join(' ', arguments)}: {output}");
        return output;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void Issue(string name, string serial, string section)
    {
        Run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1", "-nodes", "-sha384", "-subj", $"/CN={name}", "-config", At("openssl.cnf"), "-keyout", At($"{name}.key"), "-out", At($"{name}.csr"));
        Run("x509", "-req", "-in", At($"{name}.csr"), "-CA", At("ca.pem"), "-CAkey", At("ca.key"), "-set_serial", $"0x{serial}", "-days", "3000", "-sha384", "-extfile", At("openssl.cnf"), "-extensions", section, "-out", At($"{name}.pem"));
    }
}

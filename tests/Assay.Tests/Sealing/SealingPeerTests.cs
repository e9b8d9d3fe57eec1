using System.Text;
using Assay.Sealing;
using Assay.Sealing.Cms;
using Assay.Sealing.Hpke;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;

namespace Assay.Tests.Sealing;

/// <summary>Other implementations open what we seal, and we open what they seal: npm jose and @hpke/core, José, openssl cms.</summary>
public sealed class SealingPeerTests : IDisposable
{
    private const string Secret = "a data key of a model, sealed";

    // Arguments: open FILE PRIVATE-JWK | seal FILE PUBLIC-JWK ALG FORM. The plaintext, or the JWE, on standard output.
    private const string JoseScript = """
        import { readFileSync } from 'node:fs';
        import { compactDecrypt, flattenedDecrypt, CompactEncrypt, FlattenedEncrypt, importJWK } from 'jose';
        const [what, file, jwk, alg, form] = process.argv.slice(2);
        const text = readFileSync(file, 'utf8');
        const key = await importJWK(JSON.parse(readFileSync(jwk)), alg ?? (text.startsWith('{') ? undefined : JSON.parse(Buffer.from(text.split('.')[0], 'base64url')).alg));
        if (what === 'open') {
          const { plaintext, additionalAuthenticatedData: aad } = text.startsWith('{') ? await flattenedDecrypt(JSON.parse(text), key) : await compactDecrypt(text, key);
          process.stdout.write(Buffer.from(plaintext).toString() + (aad ? '|' + Buffer.from(aad).toString() : ''));
        } else {
          const header = { alg, enc: 'A256GCM' };
          if (form === 'flattened') process.stdout.write(JSON.stringify(await new FlattenedEncrypt(Buffer.from(text)).setProtectedHeader(header).setAdditionalAuthenticatedData(Buffer.from('beside')).encrypt(key)));
          else process.stdout.write(await new CompactEncrypt(Buffer.from(text)).setProtectedHeader(header).encrypt(key));
        }
        """;

    // Arguments: open CURVE PRIVATE-JWK ENC CT… | seal CURVE PUBLIC-JWK TEXT…; hexadecimal, info "assay", associated data "aad".
    private const string HpkeScript = """
        import { readFileSync } from 'node:fs';
        import { CipherSuite, Aes256Gcm, DhkemP256HkdfSha256, DhkemP384HkdfSha384, DhkemP521HkdfSha512, HkdfSha256, HkdfSha384, HkdfSha512 } from '@hpke/core';
        const [what, curve, file, ...rest] = process.argv.slice(2);
        const [kem, kdf] = { P256: [DhkemP256HkdfSha256, HkdfSha256], P384: [DhkemP384HkdfSha384, HkdfSha384], P521: [DhkemP521HkdfSha512, HkdfSha512] }[curve];
        const suite = new CipherSuite({ kem: new kem(), kdf: new kdf(), aead: new Aes256Gcm() });
        const jwk = JSON.parse(readFileSync(file));
        const [info, aad] = [Buffer.from('assay'), Buffer.from('aad')];
        const hex = bytes => Buffer.from(bytes).toString('hex'), of = text => new Uint8Array(Buffer.from(text, 'hex')).buffer;
        const out = [];
        if (what === 'open') {
          const recipient = await suite.createRecipientContext({ recipientKey: await suite.kem.importKey('jwk', { ...jwk, key_ops: ['deriveBits'] }, false), enc: of(rest[0]), info });
          for (const text of rest.slice(1)) out.push(hex(await recipient.open(of(text), aad)));
          out.push(hex(await recipient.export(Buffer.from('export'), 32)));
        } else {
          const sender = await suite.createSenderContext({ recipientPublicKey: await suite.kem.importKey('jwk', jwk, true), info });
          out.push(hex(sender.enc));
          for (const text of rest) out.push(hex(await sender.seal(of(text), aad)));
          out.push(hex(await sender.export(Buffer.from('export'), 32)));
        }
        console.log(out.join('\n'));
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("assay-peer-");

    public static TheoryData<KeyKind, JweAlgorithm> Jose => new()
    {
        { KeyKind.P256, JweAlgorithm.EcdhEs }, { KeyKind.P256, JweAlgorithm.EcdhEsA256Kw }, { KeyKind.P384, JweAlgorithm.EcdhEs }, { KeyKind.P384, JweAlgorithm.EcdhEsA256Kw },
        { KeyKind.P521, JweAlgorithm.EcdhEs }, { KeyKind.P521, JweAlgorithm.EcdhEsA256Kw }, { KeyKind.Rsa3072, JweAlgorithm.RsaOaep256 }, { KeyKind.Rsa4096, JweAlgorithm.RsaOaep256 },
    };

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(Jose))]
    public void Npm_jose_and_we_open_what_the_other_sealed(KeyKind kind, JweAlgorithm algorithm)
    {
        var node = Peer.Require("node");
        var script = NpmPackages.Install("sealing", "jose.mjs", JoseScript);
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(kind);
        var (open, shut) = (Save(TestKeys.Export(pair).Jwk), Save(pair.PublicKey.Jwk));
        var terms = new JweTerms { Algorithm = algorithm, PartyU = "us"u8.ToArray(), PartyV = "them"u8.ToArray() };

        Assert.Equal(Secret, Accepted(node.Run(script, "open", Save(Jwe.SealCompact(pair.PublicKey, Encoding.UTF8.GetBytes(Secret), terms)), open)));
        Assert.Equal(Secret + "|beside", Accepted(node.Run(script, "open", Save(Jwe.SealFlattened(pair.PublicKey, Encoding.UTF8.GetBytes(Secret), "beside"u8, terms)), open, JweHeader.NameOf(algorithm))));
        foreach (var form in (string[])["compact", "flattened"])
        {
            var theirs = Accepted(node.Run(script, "seal", Save(Secret), shut, JweHeader.NameOf(algorithm), form));
            Assert.True(pair.TryUnwrapKey(Encoding.ASCII.GetBytes(theirs), out var key, out var fault), fault?.ToString());
            Assert.Equal(Secret, Encoding.UTF8.GetString(key.Bytes()));
        }
    }

    /// <summary>Curves alone: José 11 on Debian 12 makes no RSA key, and opens no RSA-OAEP-256 of npm jose's either ("Unwrapping failed!").</summary>
    public static TheoryData<KeyKind, JweAlgorithm> OnCurves => [.. Jose.Where(row => row.Data.Item2 is not JweAlgorithm.RsaOaep256)];

    [Theory]
    [MemberData(nameof(OnCurves))]
    public void Jose_of_Debian_and_we_open_what_the_other_sealed(KeyKind kind, JweAlgorithm algorithm)
    {
        var jose = Peer.Require("jose");
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(kind);
        var (open, shut) = (Save(TestKeys.Export(pair).Jwk), Save(pair.PublicKey.Jwk));
        var name = JweHeader.NameOf(algorithm);
        var terms = new JweTerms { Algorithm = algorithm, PartyU = "us"u8.ToArray(), PartyV = "them"u8.ToArray() };

        Assert.Equal(Secret, Accepted(jose.Run("jwe", "dec", "-i", Save(Jwe.SealCompact(pair.PublicKey, Encoding.UTF8.GetBytes(Secret), terms)), "-k", open)));
        Assert.Equal(Secret, Accepted(jose.Run("jwe", "dec", "-i", Save(Jwe.SealFlattened(pair.PublicKey, Encoding.UTF8.GetBytes(Secret), [], terms)), "-k", open)));
        foreach (var form in (string[][])[["-c"], []])
        {
            var theirs = Accepted(jose.Run(["jwe", "enc", "-I", Save(Secret), "-k", shut, "-i", "{\"protected\":{\"alg\":\"" + name + "\",\"enc\":\"A256GCM\"}}", .. form]));
            Assert.True(pair.TryUnwrapKey(Encoding.ASCII.GetBytes(theirs.Trim()), out var key, out var fault), $"{fault}\n{theirs}");
            Assert.Equal(Secret, Encoding.UTF8.GetString(key.Bytes()));
        }
    }

    [Theory]
    [InlineData(KeyKind.P256)]
    [InlineData(KeyKind.P384)]
    [InlineData(KeyKind.P521)]
    public void Npm_hpke_and_we_open_what_the_other_sealed(KeyKind kind)
    {
        var node = Peer.Require("node");
        var script = NpmPackages.Install("sealing", "hpke.mjs", HpkeScript);
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(kind);
        var (open, shut) = (Save(TestKeys.Export(pair).Jwk), Save(pair.PublicKey.Jwk));
        byte[][] texts = [Encoding.UTF8.GetBytes(Secret), [], [1, 2, 3]];

        using var sender = HpkeSender.Create(pair.PublicKey, "assay"u8);
        string[] opened = Accepted(node.Run([script, "open", $"{kind}", open, Convert.ToHexStringLower(sender.Encapsulated.Span), .. texts.Select(text => Convert.ToHexStringLower(sender.Seal(text, "aad"u8)))])).TrimEnd().Split('\n');
        Assert.Equal([.. texts.Select(Convert.ToHexStringLower), Convert.ToHexStringLower(sender.Export("export"u8, 32).Bytes())], opened);

        string[] theirs = Accepted(node.Run([script, "seal", $"{kind}", shut, .. texts.Select(Convert.ToHexStringLower)])).TrimEnd().Split('\n');
        Assert.True(HpkeRecipient.TryCreate(pair, Convert.FromHexString(theirs[0]), "assay"u8, out var recipient, out var fault), fault?.ToString());
        using (recipient)
        {
            Assert.All(texts.Index(), text =>
            {
                Assert.True(recipient.TryOpen(Convert.FromHexString(theirs[text.Index + 1]), "aad"u8, out var plaintext, out var whyNot), whyNot?.ToString());
                Assert.Equal(text.Item, plaintext.Bytes());
            });
            Assert.Equal(theirs[^1], Convert.ToHexStringLower(recipient.Export("export"u8, 32).Bytes()));
        }
    }

    [Fact]
    public void Openssl_cms_and_we_open_what_the_other_sealed()
    {
        var openssl = Peer.Require("openssl");
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.Rsa3072);
        var key = Save(TestKeys.Export(pair).Pem);
        var certificate = Path.Combine(_folder.FullName, "c.pem");
        Accepted(openssl.Run("req", "-x509", "-new", "-key", key, "-subj", "/CN=recipient", "-days", "2", "-out", certificate));

        using (var secret = TestKeys.Secret(Encoding.UTF8.GetBytes(Secret)))
        {
            var ours = Path.Combine(_folder.FullName, "ours.der");
            File.WriteAllBytes(ours, EnvelopedKey.Seal(pair.PublicKey, [], secret));
            // By the key alone, and by the certificate whose identifier ours is.
            Assert.Equal(Secret, Accepted(openssl.Run("cms", "-decrypt", "-binary", "-inform", "DER", "-in", ours, "-inkey", key)));
            Assert.Equal(Secret, Accepted(openssl.Run("cms", "-decrypt", "-binary", "-inform", "DER", "-in", ours, "-inkey", key, "-recip", certificate)));
        }

        string[][] forms = [[], ["-stream", "-indef"]];
        foreach (var form in forms)
        {
            Assert.Null(Open(["-aes-256-cbc", "-keyid", "-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256", .. form]));
        }

        Assert.Equal("sealing.cms.algorithm", Open("-aes-256-cbc", "-keyid", "-keyopt", "rsa_padding_mode:oaep"));
        Assert.Equal("sealing.cms.algorithm", Open("-aes-256-cbc", "-keyid", "-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha384"));
        Assert.Equal("sealing.cms.algorithm", Open("-aes-256-cbc", "-keyid", "-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256", "-keyopt", "rsa_mgf1_md:sha1"));
        Assert.Equal("sealing.cms.algorithm", Open("-aes-256-cbc", "-keyid"));
        Assert.Equal("sealing.cms.algorithm", Open("-aes-128-cbc", "-keyid", "-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"));
        Assert.Equal("sealing.cms.form", Open("-aes-256-cbc", "-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"));
        Assert.Equal("sealing.cms.form", Open("-aes-256-gcm", "-keyid", "-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"));

        string? Open(params IEnumerable<string> options)
        {
            var theirs = Path.Combine(_folder.FullName, "theirs.der");
            string[] all = [.. options];
            // Options of a recipient's key come behind the recipient.
            var at = Array.IndexOf(all, "-keyopt");
            Accepted(openssl.Run(["cms", "-encrypt", "-binary", .. at < 0 ? all : all.Where(option => option is "-stream" or "-indef").Concat(all[..at]), "-in", Save(Secret), "-outform", "DER", "-out", theirs, "-recip", certificate, .. at < 0 ? [] : all[at..].Where(option => option is not ("-stream" or "-indef"))]));
            if (!pair.TryUnwrapKey(File.ReadAllBytes(theirs), out var opened, out var fault))
            {
                return fault.Id;
            }

            Assert.Equal(Secret, Encoding.UTF8.GetString(opened.Bytes()));
            return null;
        }
    }

    private static string Accepted(PeerAnswer answer)
    {
        Assert.True(answer.Accepted, answer.Output);
        return answer.Output;
    }

    private string Save(string text)
    {
        var path = Path.Combine(_folder.FullName, Path.GetRandomFileName());
        File.WriteAllText(path, text);
        return path;
    }
}

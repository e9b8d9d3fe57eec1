using System.Text;
using System.Text.Json.Nodes;
using Assay.Tokens;
using Assay.Trust.Jose;

namespace Assay.Tests.Tokens;

/// <summary>Anyone with the key set can check: npm jose and python3-jwt accept what we write and refuse what was altered.</summary>
public sealed class TokenPeerTests(TokenFixture fixture) : IClassFixture<TokenFixture>
{
    // Arguments: key set, token, issuer, time in seconds. Exit code 0 when it verifies.
    private const string JoseScript = """
        import { readFileSync } from 'node:fs';
        import { createLocalJWKSet, jwtVerify, calculateJwkThumbprint } from 'jose';
        const [keys, token, issuer, now] = process.argv.slice(2);
        const set = JSON.parse(readFileSync(keys));
        for (const key of set.keys) if (key.kid !== await calculateJwkThumbprint(key)) { console.log('thumbprint'); process.exit(3); }
        try {
          const { payload } = await jwtVerify(readFileSync(token, 'utf8'), createLocalJWKSet(set), { issuer, algorithms: ['ES384', 'ES256', 'RS256'], currentDate: new Date(Number(now) * 1000) });
          console.log(payload.jti);
        } catch (error) { console.log(error.code); process.exit(error.code?.startsWith('ERR_J') ? 1 : 2); }
        """;

    private const string PythonScript = """
        import json, sys, jwt
        keys, token, issuer, now = sys.argv[1:]
        text = open(token).read()
        try:
            header = jwt.get_unverified_header(text)
            key = next(k for k in json.load(open(keys))["keys"] if k["kid"] == header["kid"])
            key = {"EC": jwt.algorithms.ECAlgorithm, "RSA": jwt.algorithms.RSAAlgorithm}[key["kty"]].from_jwk(json.dumps(key))
            claims = jwt.decode(text, key, algorithms=["ES384", "ES256", "RS256"], issuer=issuer, options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "require": ["exp", "iat", "iss", "jti"]})
            print(claims["jti"])
        except (jwt.PyJWTError, StopIteration) as error:
            print(type(error).__name__); sys.exit(1)
        """;

    [Fact]
    public void Npm_jose_accepts_our_tokens_and_refuses_altered_ones()
    {
        var node = Peer.Require("node");
        var script = NpmPackages.Install("oidc", "verify.mjs", JoseScript);

        Judge((keys, token) => node.Run(script, keys, token, "http://127.0.0.1:8443", Now));
        // The clock of this peer can be set, so time is asked about too.
        var (set, file) = (Save(fixture.Keys.ToJson()), Save(Tokens().First()));
        Assert.Equal(1, node.Run(script, set, file, "http://127.0.0.1:8443", $"{TokenFixture.Now.AddHours(2).ToUnixTimeSeconds()}").ExitCode);
        Assert.Equal(1, node.Run(script, set, file, "http://127.0.0.1:8444", Now).ExitCode);
    }

    [Fact]
    public void Python_jwt_accepts_our_tokens_and_refuses_altered_ones()
    {
        var python = Peer.RequireModule("/usr/bin/python3", "jwt", "python3-jwt");
        var script = Save(Encoding.UTF8.GetBytes(PythonScript));

        Judge((keys, token) => python.Run(script, keys, token, "http://127.0.0.1:8443", Now));
    }

    private static string Now => $"{TokenFixture.Now.AddMinutes(1).ToUnixTimeSeconds()}";

    private void Judge(Func<string, string, PeerAnswer> peer)
    {
        var keys = Save(fixture.Keys.ToJson());
        foreach (var token in Tokens())
        {
            var answer = peer(keys, Save(token));
            Assert.True(answer.Accepted, answer.Output);
            Assert.Matches("^[0-9a-f]{64}\\s*$", answer.Output);

            foreach (var (alteration, altered) in Altered(token))
            {
                var refusal = peer(keys, Save(altered));
                Assert.True(refusal.ExitCode == 1, $"{alteration}: {refusal.ExitCode} {refusal.Output}");
            }
        }
    }

    // Every token of a bundle under each key, both forms of EAR, and the token of a machine.
    private IEnumerable<byte[]> Tokens()
    {
        foreach (var key in (SigningKey[])[fixture.Key, fixture.SmallKey, fixture.RsaKey])
        {
            var bundle = JsonNode.Parse(fixture.Bundle(key: key))!;
            yield return Encoding.ASCII.GetBytes(bundle[0]![1]!.GetValue<string>());
            yield return Encoding.ASCII.GetBytes(bundle[1]!["SWITCH-0"]!.GetValue<string>());
        }

        Assert.True(NvidiaEar.TryWrite(fixture.Pass, TokenFixture.Terms, fixture.Key, System.Security.Cryptography.RandomNumberGenerator.Fill, out var nvidia, out _));
        Assert.True(TrusteeEar.TryWrite(fixture.Pass, TokenFixture.Terms, fixture.Key, System.Security.Cryptography.RandomNumberGenerator.Fill, out var trustee, out _));
        yield return Encoding.ASCII.GetBytes(nvidia);
        yield return Encoding.ASCII.GetBytes(trustee);
        Assert.True(EatWriter.TryWrite(fixture.Pass, TokenFixture.Terms, fixture.Key, System.Security.Cryptography.RandomNumberGenerator.Fill, out var machine, out _));
        yield return Encoding.ASCII.GetBytes(machine);
    }

    private IEnumerable<(string Alteration, byte[] Token)> Altered(byte[] token)
    {
        var parts = Encoding.ASCII.GetString(token).Split('.');
        var header = JsonNode.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(parts[0]))!.AsObject();
        var payload = Encoding.ASCII.GetString(System.Buffers.Text.Base64Url.DecodeFromChars(parts[1]));
        yield return ("payload", Join(parts[0], Reforged.Url(payload.Replace("measres", "measrez", StringComparison.Ordinal).Replace("\"exp\":1", "\"exp\":2", StringComparison.Ordinal)), parts[2]));
        yield return ("signature", Join(parts[0], parts[1], parts[2][..^2] + (parts[2][^2] == 'A' ? "BA" : "AA")));
        yield return ("stranger", Encoding.ASCII.GetBytes(Reforged.Sign(fixture.Stranger, header.DeepClone().AsObject(), payload)));
        var unsigned = header.DeepClone().AsObject();
        unsigned["alg"] = "none";
        yield return ("none", Join(Reforged.Url(unsigned.ToJsonString()), parts[1], ""));
        var unknown = header.DeepClone().AsObject();
        unknown["kid"] = "unknown";
        yield return ("kid", Encoding.ASCII.GetBytes(Reforged.Sign(fixture.Key, unknown, payload)));

        static byte[] Join(params string[] parts) => Encoding.ASCII.GetBytes(string.Join('.', parts));
    }

    private string Save(ReadOnlySpan<byte> bytes)
    {
        var path = Path.Combine(fixture.Folder, Guid.CreateVersion7(TokenFixture.Now).ToString());
        File.WriteAllBytes(path, bytes);
        return path;
    }
}

using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Assay.Benchmarks;

/// <summary>
/// <c>assay bench broker</c>: releases with a durable log, as a ratio of the server's processor time to the bare signatures, the sealing and the work of the key
/// encryption key; and a log of a million entries.
/// </summary>
internal static class BrokerLoad
{
    private sealed record Releases : ServedScenario
    {
        public override string Body(Answered answered) => $$"""{"challenge":"{{answered.Id}}","evidence":{{answered.Evidence}}}""";

        public override void Configure(JsonObject configuration)
        {
            configuration["roles"] = new JsonArray("broker");
            configuration.Remove("attestation");
        }

        public override async Task PrepareAsync(ServedProcess server, string key, JsonNode expect)
        {
            using var client = new HttpClient { BaseAddress = new Uri(server.Address) };
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
            await PostAsync("/v1/keys", new JsonObject { ["id"] = "weights", ["bytes"] = 32 }).ConfigureAwait(false);
            await PostAsync("/v1/keys/weights/policy", new JsonObject { ["revision"] = 1, ["policy"] = new JsonObject { ["version"] = 1, ["expect"] = expect } }).ConfigureAwait(false);

            async Task PostAsync(string path, JsonObject body)
            {
                using var content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
                using var answer = await client.PostAsync(new Uri(path, UriKind.Relative), content).ConfigureAwait(false);
                if (!answer.IsSuccessStatusCode)
                {
                    throw new InvalidOperationException(await answer.Content.ReadAsStringAsync().ConfigureAwait(false));
                }
            }
        }

        // One checkpoint is signed for all that share a transaction: so much is counted as if each had its own. Sealing is an ephemeral key, an agreement and
        // AES-GCM; the key encryption key in a file unwraps a data encryption key, which opens the secret.
        public override double RawMilliseconds(double verifications)
        {
            const int many = 200;
            using var log = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            using var machine = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP384);
            using var point = machine.PublicKey;
            var (checkpoint, key) = (RandomNumberGenerator.GetBytes(100), RandomNumberGenerator.GetBytes(32));
            void Seal()
            {
                using var ephemeral = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP384);
                _ = ephemeral.DeriveRawSecretAgreement(point);
                using var cipher = new AesGcm(key, 16);
                Span<byte> tag = stackalloc byte[16], sealedSecret = stackalloc byte[32];
                cipher.Encrypt(checkpoint.AsSpan(0, 12), checkpoint.AsSpan(0, 32), sealedSecret, tag);
                cipher.Decrypt(checkpoint.AsSpan(0, 12), sealedSecret, tag, sealedSecret);
            }

            return VerificationMilliseconds(verifications) + MillisecondsOf(many, () => Parallel.For(0, many, _ => log.SignData(checkpoint, HashAlgorithmName.SHA256))) + MillisecondsOf(many, () => Parallel.For(0, many, _ => Seal()));
        }
    }

    public static async Task<int> RunAsync(string[] arguments)
    {
        var (json, count, entries, database) = (false, 300, 1_000_000, "");
        for (var index = 0; index < arguments.Length; index += 2)
        {
            switch (arguments[index..])
            {
                case ["--format", "text" or "json", ..]:
                    json = arguments[index + 1] == "json";
                    break;
                case ["--releases", var text, ..] when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out count) && (count is 0 or (>= 20 and <= 2000)):
                    break;
                case ["--entries", var text, ..] when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out entries) && entries is 0 or (>= 10_000 and <= 10_000_000):
                    break;
                case ["--database", "sqlite" or "postgresql", ..]:
                    database = arguments[index + 1];
                    break;
                default:
                    await Console.Error.WriteLineAsync("usage: assay bench broker [--database sqlite|postgresql] [--releases 0|20..2000] [--entries 0|10000..10000000] [--format text|json]").ConfigureAwait(false);
                    return 2;
            }
        }

        if (count > 0 && !await ServedLoad.IsPossibleAsync().ConfigureAwait(false))
        {
            return 2;
        }

        var load = new ServedLoad(new Releases { Title = "releases to 8 GPUs and 4 switches", Target = 1.3, Path = "/v1/keys/weights/release", Purpose = "release", Scopes = ["broker", "release"] });
        var releases = count > 0 ? await load.RunAsync(database, count).ConfigureAwait(false) : [];
        var log = entries > 0 ? await LogLoad.RunAsync(entries).ConfigureAwait(false) : null;
        Console.Out.WriteLine(json ? JsonSerializer.Serialize(new { releases, log }) : string.Join("\n\n", (string[])[.. releases.Count > 0 ? [load.Table(releases)] : Array.Empty<string>(), .. log is null ? [] : new[] { log.ToString() }]));
        return 0;
    }
}

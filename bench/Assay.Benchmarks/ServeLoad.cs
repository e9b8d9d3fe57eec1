using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;

namespace Assay.Benchmarks;

/// <summary><c>assay bench serve</c>: appraisals, as a ratio of the server's processor time to its signature work alone: so many bare verifications as it counts, and one signature.</summary>
internal static class ServeLoad
{
    private sealed record Appraisals : ServedScenario
    {
        public override string Body(Answered answered) => $$"""{"challenge":"{{answered.Id}}","audience":"https://bench.example","evidence":{{answered.Evidence}}}""";

        public override double RawMilliseconds(double verifications)
        {
            const int many = 400;
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
            var token = RandomNumberGenerator.GetBytes(4096);
            return VerificationMilliseconds(verifications) + MillisecondsOf(many, () => Parallel.For(0, many, _ => key.SignData(token, HashAlgorithmName.SHA384)));
        }
    }

    public static async Task<int> RunAsync(string[] arguments)
    {
        var (json, count, database) = (false, 300, "");
        for (var index = 0; index < arguments.Length; index += 2)
        {
            switch (arguments[index..])
            {
                case ["--format", "text" or "json", ..]:
                    json = arguments[index + 1] == "json";
                    break;
                case ["--appraisals", var text, ..] when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out count) && count is >= 20 and <= 2000:
                    break;
                case ["--database", "sqlite" or "postgresql", ..]:
                    database = arguments[index + 1];
                    break;
                default:
                    await Console.Error.WriteLineAsync("usage: assay bench serve [--database sqlite|postgresql] [--appraisals 20..2000] [--format text|json]").ConfigureAwait(false);
                    return 2;
            }
        }

        if (!await ServedLoad.IsPossibleAsync().ConfigureAwait(false))
        {
            return 2;
        }

        var load = new ServedLoad(new Appraisals { Title = "appraisals of 8 GPUs and 4 switches", Target = 1.25, Path = "/v1/appraisals", Purpose = "appraisal", Scopes = ["attest"] });
        var results = await load.RunAsync(database, count).ConfigureAwait(false);
        Console.Out.WriteLine(json ? JsonSerializer.Serialize(results) : load.Table(results));
        return 0;
    }
}

using System.Text;
using System.Text.Json;
using Assay.Rego;
using Assay.Rego.Values;

namespace Assay.Benchmarks;

/// <summary>The policy engine, as ratios in one run: evaluating against parsing the same claims with System.Text.Json, and so on.</summary>
internal static class RegoRows
{
    private const int Rounds = 40;

    // The stricter of NVIDIA's example policies in its shape: the whole device list, each chain's four claims.
    private const string Policy = """
        package policy

        default nv_match := false

        nv_match if {
            count(input) > 0
            every claim in input { valid(claim) }
        }

        valid(claim) if {
            claim["x-nvidia-device-type"] == "gpu"
            claim.measres == "success"
            chain(claim["x-nvidia-gpu-attestation-report-cert-chain"])
            chain(claim["x-nvidia-gpu-driver-rim-cert-chain"])
            chain(claim["x-nvidia-gpu-vbios-rim-cert-chain"])
        }

        chain(c) if {
            c["x-nvidia-cert-status"] == "valid"
            c["x-nvidia-cert-ocsp-status"] in {"good", "unknown"}
            c["x-nvidia-cert-ocsp-nonce-matches"] == true
            c["x-nvidia-cert-ocsp-response-valid"] == true
        }
        """;

    public static IEnumerable<Row> All()
    {
        var policy = Prepared("data.policy.nv_match", Policy);
        foreach (var devices in (int[])[1, 8, 64])
        {
            var json = Encoding.UTF8.GetBytes(Claims(devices));
            var input = Read(json);
            if (!policy.Evaluate(input).IsTrue)
            {
                throw new InvalidOperationException("the policy refuses the claims that it is measured on");
            }

            yield return Against($"Rego: policy over claims of {devices} GPUs", 2, "x parse", () => policy.Evaluate(input), () => JsonDocument.Parse(json).Dispose(), 2_000 / devices + 20);
        }

        foreach (var devices in (int[])[1, 8, 64])
        {
            var json = Encoding.UTF8.GetBytes(Claims(devices));
            yield return Against($"Rego: reading and policy over claims of {devices} GPUs", null, "x parse", () => policy.Evaluate(Read(json)), () => JsonDocument.Parse(json).Dispose(), 2_000 / devices + 20);
        }

        var hundred = string.Join("\n", Enumerable.Range(0, 25).Select(i => $"r{i} if {{\n\tinput.a[{i}] == {i}\n\tcount(input.b) > {i}\n}}"));
        yield return Absolute("Rego: compile 100 lines", 5, "ms", () => Prepared("data.a.r1", "package a\n\n" + hundred));
        var million = Prepared("count([x | some x in numbers.range(1, 1000000)])", "package a");
        yield return Absolute("Rego: comprehension of a million", null, "ms", () => million.Evaluate(null));
        yield return Against("Rego: membership in 10,000 entries against 10", 2, "x small", Membership(10_000), Membership(10), 2_000);
    }

    private static Action Membership(int entries)
    {
        var list = string.Join(", ", Enumerable.Range(0, entries).Select(i => $"\"device-{i}\""));
        var query = Prepared("data.a.allow", $"package a\n\nallowed := {{{list}}}\n\nallow if input.id in allowed");
        var input = Read("{\"id\":\"device-7\"}"u8);
        return () => query.Evaluate(input);
    }

    private static Row Against(string name, double? target, string unit, Action work, Action bare, int times)
    {
        var (ratios, costs) = (new List<double>(), new List<Cost>());
        for (var round = 0; round < Rounds; round++)
        {
            var cost = Cost.Of(() => Repeat(work, times));
            ratios.Add(cost.CpuMilliseconds / Cost.Of(() => Repeat(bare, times)).CpuMilliseconds);
            costs.Add(cost);
        }

        return new Row(name, 0, 0, Median(costs.Select(cost => cost.CpuMilliseconds / times)), Median(costs.Select(cost => cost.WallMilliseconds / times)), Median(ratios), Median(costs.Select(cost => cost.AllocatedKilobytes / times)), target, unit);
    }

    private static Row Absolute(string name, double? target, string unit, Action work)
    {
        Cost[] costs = [.. Enumerable.Range(0, 10).Select(_ => Cost.Of(work))];
        var wall = Median(costs.Select(cost => cost.WallMilliseconds));
        return new Row(name, 0, 0, Median(costs.Select(cost => cost.CpuMilliseconds)), wall, wall, Median(costs.Select(cost => cost.AllocatedKilobytes)), target, unit);
    }

    private static void Repeat(Action work, int times)
    {
        for (var i = 0; i < times; i++)
        {
            work();
        }
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }

    private static RegoValue Read(ReadOnlySpan<byte> json) => RegoJson.TryRead(json, out var value, out var problem) ? value : throw new InvalidOperationException(problem);

    private static PreparedQuery Prepared(string query, string source)
    {
        if (!RegoModule.TryParse("bench.rego", source, out var module, out var error))
        {
            throw new InvalidOperationException(error.ToDisplay());
        }

        if (!CompiledPolicy.TryCompile([module], null, out var policy, out var errors) || !policy.TryPrepare(query, out var prepared, out errors))
        {
            throw new InvalidOperationException(errors[0].ToDisplay());
        }

        return prepared;
    }

    private static string Claims(int devices)
    {
        const string Chain = """{"x-nvidia-cert-status":"valid","x-nvidia-cert-ocsp-status":"good","x-nvidia-cert-ocsp-nonce-matches":true,"x-nvidia-cert-ocsp-response-valid":true,"x-nvidia-cert-expiration-date":"2027-01-01T00:00:00Z","x-nvidia-cert-revocation-reason":null}""";
        return "[" + string.Join(",", Enumerable.Range(0, devices).Select(i =>
            $$"""{"measres":"success","x-nvidia-device-type":"gpu","hwmodel":"GH100 A01 GSP BROM","ueid":"4785{{i}}","oemid":"5703","x-nvidia-gpu-driver-version":"550.90.07","x-nvidia-gpu-vbios-version":"96.00.9F.00.01","secboot":true,"dbgstat":"disabled","x-nvidia-gpu-attestation-report-cert-chain":{{Chain}},"x-nvidia-gpu-driver-rim-cert-chain":{{Chain}},"x-nvidia-gpu-vbios-rim-cert-chain":{{Chain}}}""")) + "]";
    }
}

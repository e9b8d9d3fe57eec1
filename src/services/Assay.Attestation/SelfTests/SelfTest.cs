using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Attestation.Policies;
using Assay.Checks;
using Assay.Evidence.Files;
using Assay.Service.Audit;
using Assay.Service.Judging;
using Assay.Service.Keys;
using Assay.Service.Storage;
using Assay.Trust.Jose;
using TimeSource = Assay.Checks.TimeSource;

namespace Assay.Attestation.SelfTests;

/// <summary>One thing that was tried.</summary>
/// <param name="Part"><c>policy</c>, <c>tampered</c>, <c>key</c>, <c>audit</c>.</param>
/// <param name="Name">What was tried.</param>
/// <param name="Passed">Whether it came out as it must.</param>
/// <param name="Expected">What must come out.</param>
/// <param name="Found">What came out.</param>
/// <param name="Detail">Which checks failed; null: none did, or it does not matter.</param>
public sealed record SelfTestLine(string Part, string Name, bool Passed, string Expected, string Found, string? Detail);

/// <summary>What came out.</summary>
/// <param name="Issuer">Of which service.</param>
/// <param name="At">When it began.</param>
/// <param name="Release">Which release judged.</param>
/// <param name="Passed">Whether there is an active policy, and everything came out as it must.</param>
/// <param name="Lines">Each thing that was tried.</param>
public sealed record SelfTestReport(string Issuer, DateTimeOffset At, string Release, bool Passed, ImmutableArray<SelfTestLine> Lines);

/// <summary>
/// Tries a configuration before it takes traffic: anchors, collateral, policies, keys and database as they are. Every active policy judges its own tests,
/// and what an attacker would make of the evidence that passes; every signing key signs, and verifies as relying parties do.
/// </summary>
public sealed class SelfTest(AttestationService service, PolicyStore policies, PolicyTrial trial, SigningKeys keys, ServiceDatabase database, KeyEncryptionKey kek)
{
    /// <summary>The <c>typ</c> of a signed report: no reader of tokens takes it.</summary>
    public const string MediaType = "assay-selftest+jws";

    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web);

    /// <summary>Runs it. Nothing that comes out of it is a token.</summary>
    /// <param name="coming">Policies that are not active yet: each takes the place of the active one of its name.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="Assay.Service.ServiceException">The database does not answer.</exception>
    public async Task<SelfTestReport> RunAsync(ImmutableArray<CompiledPolicy> coming, CancellationToken cancellation)
    {
        var (now, lines) = (service.Now(), ImmutableArray.CreateBuilder<SelfTestLine>());
        var changed = coming.Where(policy => !policies.Active.Any(known => known.Document.Id == policy.Document.Id && known.Digest == policy.Digest)).ToArray();
        ImmutableArray<CompiledPolicy> active = [.. policies.Active.Where(known => !changed.Any(policy => policy.Document.Id == known.Document.Id)), .. changed];
        foreach (var policy in active)
        {
            lines.AddRange(await JudgeAsync(policy, cancellation).ConfigureAwait(false));
        }

        lines.AddRange(SigningKeys.Algorithms.Select(TryKey));
        var faults = await AuditLog.VerifyAsync(database, kek, cancellation).ConfigureAwait(false);
        const string unchanged = "no entry changed, or missing but at the end of its writer's";
        lines.Add(new SelfTestLine("audit", "every chain of the audit log", faults.Count == 0, unchanged, faults.Count == 0 ? unchanged : "changed", faults.Count == 0 ? null : string.Join("; ", faults)));
        if (active.IsEmpty)
        {
            lines.Add(new SelfTestLine("policy", "active policies", false, "at least one", "none", "every audience is refused"));
        }

        return new SelfTestReport(
            service.Terms.Issuer.ToString(), now.Instant, typeof(SelfTest).Assembly.GetName().Version!.ToString(3), lines.All(line => line.Passed), lines.ToImmutable());
    }

    /// <summary>The report as a compact JWS under the ES384 key of the service, which its key set has.</summary>
    public string Sign(SelfTestReport report) => keys.Current("ES384").SignStatement(MediaType, JsonSerializer.SerializeToUtf8Bytes(report, s_json));

    private async Task<List<SelfTestLine>> JudgeAsync(CompiledPolicy policy, CancellationToken cancellation)
    {
        var name = $"{policy.Tenant}/{policy.Document.Id} {(policy.Version == 0 ? "of its file" : $"version {policy.Version}")}";
        var report = await trial.TestAsync(policy, cancellation).ConfigureAwait(false);
        List<SelfTestLine> lines = [.. report.Tests.Select(test => new SelfTestLine("policy", $"{name}: {test.Name}", test.Passed, test.Expected, test.Found, test.Detail))];
        if (report.Tests.IsEmpty)
        {
            lines.Add(new SelfTestLine("policy", name, false, "tests", "none", null));
        }

        if (policy.Document.Tests.All(test => test.Expect is not "pass"))
        {
            // Without evidence that passes nothing is tampered with, and nothing would be shown.
            lines.Add(new SelfTestLine("tampered", name, false, "a test that passes", "none", null));
        }

        foreach (var test in policy.Document.Tests.Where(test => test.Expect is "pass"))
        {
            var time = test.At is { } at ? new EvaluationTime(at, TimeSource.Stated) : service.Now();
            var attacks = Attacks(policy, test).ToArray();
            if (attacks.Length < 2)
            {
                // Nothing of it would have been changed.
                lines.Add(new SelfTestLine("tampered", $"{name}: {test.Name}", false, "evidence in a form whose parts can be changed: our bundle, an array of devices, or a request to NVIDIA's service", "another form", null));
            }

            foreach (var (what, evidence, challenge) in attacks)
            {
                var (passed, detail) = await PassesAsync(policy, evidence, challenge, time, cancellation).ConfigureAwait(false);
                lines.Add(new SelfTestLine("tampered", $"{name}: {test.Name}: {what}", !passed, "no token", passed ? "a token" : "no token", detail));
            }
        }

        return lines;
    }

    private static IEnumerable<(string What, byte[] Evidence, string? Challenge)> Attacks(CompiledPolicy policy, PolicyTest test)
    {
        var raw = JsonMarshal.GetRawUtf8Value(test.Evidence).ToArray();
        yield return ("another challenge", raw, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)));
        foreach (var (what, evidence) in Tampering.Of(test.Evidence, policy.Document.Expect))
        {
            yield return (what, evidence, test.Challenge);
        }
    }

    private async Task<(bool Passed, string? Detail)> PassesAsync(CompiledPolicy policy, byte[] evidence, string? challenge, EvaluationTime time, CancellationToken cancellation)
    {
        if (!MachineEvidence.TryParse(evidence, "selftest", out var machine, out var malformed))
        {
            return (false, malformed.ToString());
        }

        var (verdict, fault) = await service.JudgeAsync(machine, policy, challenge ?? machine.StatedNonce, time, cancellation).ConfigureAwait(false);
        if (verdict is null)
        {
            return (false, fault);
        }

        var unaccepted = policy.Unaccepted(verdict).Except(PolicyCase.OfRecordings, StringComparer.Ordinal).ToArray();
        var failed = VerdictFindings.FailedOrMissing(verdict);
        return (verdict.Passed && unaccepted.Length == 0, string.Join(", ", failed.Concat(unaccepted)));
    }

    private SelfTestLine TryKey(string algorithm)
    {
        var key = keys.Current(algorithm);
        var statement = key.SignStatement(MediaType, "{\"selftest\":true}"u8);
        var altered = statement[..^1] + (statement[^1] == 'A' ? 'B' : 'A');
        var published = keys.Published();
        var holds = CompactJws.TryParse(statement, out var jws, out _) && jws.IsSignedBy(published);
        // The last character has bits that are not the signature's: a reader that is strict refuses those too.
        var refuses = !CompactJws.TryParse(altered, out var other, out _) || !other.IsSignedBy(published);
        return new SelfTestLine("key", $"{algorithm} {key.PublicKey.KeyId}", holds && refuses, "verifies, and altered it does not", holds ? refuses ? "verifies, and altered it does not" : "an altered one verifies" : "does not verify under the published keys", null);
    }
}

using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Policy;
using Assay.Simulator;
using Assay.Tokens;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Cli.Demo;

/// <summary>
/// A simulated VM boots through its gate and gets a token of an attestation service, which runs as a process with SQLite, through challenge and appraisal. A relying party verifies it by discovery
/// alone, a client of NVIDIA's shape asks at NVIDIA's paths, and attackers are answered by permanent problems.
/// </summary>
internal sealed class DemoService : IDemoSteps
{
    private static readonly DemoGroup s_honest = new("steps", "A confidential VM gets a token, and a relying party that knows only the issuer believes it");
    private static readonly DemoGroup s_nvidia = new("nvidia", "A client of NVIDIA's service, with another address and a key of ours");
    private static readonly DemoGroup s_attacks = new("attacks", "Attackers try to get a token that is not due", "refused");
    private static readonly DemoGroup[] s_groups = [s_honest, s_nvidia, s_attacks];

    private const string Audience = "https://broker.example";

    private readonly SimulatedAuthority _authority;
    private readonly DemoVm _vm;
    private readonly string _program;
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-demo-service-").FullName;
    private DemoServer? _server;
    private string _spent = "";
    private string _answered = "";

    private DemoService(SimulatedAuthority authority, DemoVm vm, string program) => (_authority, _vm, _program) = (authority, vm, program);

    public static async Task<DemoService> StartAsync(string guest, string server, DateTimeOffset now, CancellationToken cancellation)
    {
        var authority = SimulatedAuthority.Create(now);
        return new DemoService(authority, await DemoVm.StartAsync(guest, authority, SimulatedIntel.Create(now), now, cancellation).ConfigureAwait(false), server);
    }

    /// <inheritdoc/>
    public string Opening => "Everything here is simulated and proves nothing about hardware. The service is assay-server, as a process on loopback.";

    /// <inheritdoc/>
    public string Closing => "The VM has a token that anyone who knows the issuer can verify, and no other caller got one.";

    /// <inheritdoc/>
    public IReadOnlyList<DemoGroup> Groups => s_groups;

    /// <inheritdoc/>
    public IReadOnlyList<Func<CancellationToken, Task<DemoStep>>> Steps => [BootAsync, ServeAsync, AttestAsync, NvidiaAsync, ReplayAsync, OthersEvidenceAsync, AudienceAsync, StrangerAsync];

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync().ConfigureAwait(false);
        }

        await _vm.DisposeAsync().ConfigureAwait(false);
        _authority.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<DemoStep> BootAsync(CancellationToken cancellation)
    {
        const string title = "the VM boots through its gate";
        _vm.Prepare(GuestFault.None);
        var whyNot = await _vm.BootAsync(cancellation).ConfigureAwait(false);
        return new DemoStep(s_honest, title, whyNot is null, whyNot ?? string.Join(" → ", _vm.Events()));
    }

    private async Task<DemoStep> ServeAsync(CancellationToken cancellation)
    {
        const string title = "the organisation's own service starts, with SQLite and a policy that passes its own test";
        // The platform has collateral from its first quote on.
        var trial = await EvidenceAsync(Convert.ToHexStringLower(SHA256.HashData("the policy's own test"u8)), cancellation).ConfigureAwait(false);
        var party = await _vm.RelyingPartyAsync(cancellation).ConfigureAwait(false);
        (_server, var whyNot) = await DemoServer.StartAsync(_program, _folder, _vm.Hardware.Anchors, _vm.Services, Policy(party, trial), cancellation).ConfigureAwait(false);
        return new DemoStep(s_honest, title, _server is not null, whyNot ?? $"{_server!.Address}, roles: attestation");
    }

    private JsonObject Policy(RelyingParty party, string trial) => new()
    {
        ["version"] = 1,
        ["id"] = "demo-machines",
        ["audiences"] = new JsonArray(Audience),
        ["expect"] = new JsonObject
        {
            ["gpus"] = party.Gpus,
            ["switches"] = party.Switches,
            ["binding"] = "boot-event",
            ["secureBoot"] = true,
            ["referenceValues"] = JsonNode.Parse(party.ReferenceFile(_vm.Hardware)),
            ["acceptWeakened"] = new JsonArray("reference-values-unsigned"),
        },
        ["tests"] = new JsonArray(
            new JsonObject { ["name"] = "the machine passes", ["expect"] = "pass", ["evidence"] = JsonNode.Parse(trial) },
            new JsonObject { ["name"] = "it does not answer another challenge", ["expect"] = "fail", ["evidence"] = JsonNode.Parse(trial), ["challenge"] = new string('0', 64) }),
    };

    private async Task<DemoStep> AttestAsync(CancellationToken cancellation)
    {
        const string title = "challenge, evidence, appraisal: a token, verified by discovery alone";
        var (id, nonce) = await ChallengeAsync(cancellation).ConfigureAwait(false);
        _spent = id;
        _answered = await EvidenceAsync(nonce, cancellation).ConfigureAwait(false);
        var (status, body) = await AppraiseAsync(id, Audience, _answered, cancellation).ConfigureAwait(false);
        if (status != 200)
        {
            return new DemoStep(s_honest, title, false, body.ToString());
        }

        var whyNot = await WhyNotBelievedAsync(body.GetProperty("token").GetString()!, cancellation).ConfigureAwait(false);
        return new DemoStep(s_honest, title, whyNot is null, whyNot ?? $"{body.GetProperty("form").GetString()} under policy {body.GetProperty("policy").GetString()}, version {body.GetProperty("policyVersion").GetInt64()}; issuer, keys and algorithm came from {_server!.Address}/.well-known/openid-configuration");
    }

    // A relying party that knows one thing: the issuer.
    private async Task<string?> WhyNotBelievedAsync(string token, CancellationToken cancellation)
    {
        var configuration = JsonElement.Parse(await _server!.Client.GetByteArrayAsync(new Uri("/.well-known/openid-configuration", UriKind.Relative), cancellation).ConfigureAwait(false));
        if (configuration.GetProperty("issuer").GetString() != _server.Address)
        {
            return "the document names another issuer";
        }

        var set = await _server.Client.GetByteArrayAsync(new Uri(configuration.GetProperty("jwks_uri").GetString()!), cancellation).ConfigureAwait(false);
        if (!JsonWebKeySet.TryParse(set, out var keys, out var fault))
        {
            return fault.ToString();
        }

        var expected = new EatExpectations
        {
            Nonce = null,
            Issuer = _server.Address,
            Audience = Audience,
            Time = new EvaluationTime(TimeProvider.System.GetUtcNow(), TimeSource.System),
            DangerouslyAcceptedWeakenings = ["reference-values-unsigned"],
            RequiredBinding = GpuBinding.BootEvent,
            OtherAnchors = [TrustSetKind.Simulated],
        };
        return EatReader.TryVerify(token, keys, expected, out _, out var findings) ? null
            : string.Join("; ", findings.Where(finding => finding.State is CheckState.Failed).Select(finding => $"{finding.Id}: {finding.Reason}"));
    }

    private async Task<DemoStep> NvidiaAsync(CancellationToken cancellation)
    {
        const string title = "POST /v4/attest/gpu, claims 4.0, as attestation-sdk 2.x asks";
        var nonce = RandomNumberGenerator.GetBytes(Nonce.Size);
        var list = new JsonArray([.. _vm.Devices(nonce).Where(device => device.Kind == "gpu").Select(device => new JsonObject { ["evidence"] = device.Report, ["certificate"] = device.Chain })]);
        var request = new JsonObject { ["nonce"] = Convert.ToHexStringLower(nonce), ["arch"] = "HOPPER", ["claims_version"] = "4.0", ["evidence_list"] = list };
        var (status, body) = await _server!.PostAsync("/v4/attest/gpu", request.ToJsonString(), null, cancellation).ConfigureAwait(false);
        if (status != 200 || !CompactJws.TryParse(body[0][1].GetString(), out var overall, out _))
        {
            return new DemoStep(s_nvidia, title, false, body.ToString());
        }

        var (result, freshness) = (overall.Payload.GetProperty("x-nvidia-overall-att-result").GetBoolean(), overall.Payload.GetProperty("x-assay-freshness").GetString());
        return new DemoStep(s_nvidia, title, result && freshness == "caller" && body[1].EnumerateObject().Count() == list.Count, $"x-nvidia-overall-att-result {(result ? "true" : "false")}, {list.Count} device tokens; x-assay-freshness {freshness}: no broker takes it");
    }

    private async Task<DemoStep> ReplayAsync(CancellationToken cancellation) =>
        Refused("the same challenge and evidence once more", "urn:assay:challenge-spent", await AppraiseAsync(_spent, Audience, _answered, cancellation).ConfigureAwait(false));

    private async Task<DemoStep> OthersEvidenceAsync(CancellationToken cancellation)
    {
        var (id, _) = await ChallengeAsync(cancellation).ConfigureAwait(false);
        return Refused("old evidence for a new challenge", "urn:assay:evidence-refused", await AppraiseAsync(id, Audience, _answered, cancellation).ConfigureAwait(false));
    }

    private async Task<DemoStep> AudienceAsync(CancellationToken cancellation)
    {
        var (id, _) = await ChallengeAsync(cancellation).ConfigureAwait(false);
        return Refused("an audience that no policy of the tenant decides about", "urn:assay:audience-unknown", await AppraiseAsync(id, "https://other.example", _answered, cancellation).ConfigureAwait(false));
    }

    private async Task<DemoStep> StrangerAsync(CancellationToken cancellation) =>
        Refused("a caller with a key that the service never made", "urn:assay:unauthenticated", await _server!.PostAsync("/v1/challenges", "{}", $"assay_{new string('0', 16)}_{new string('A', 43)}", cancellation).ConfigureAwait(false));

    private static DemoStep Refused(string title, string type, (int Status, JsonElement Body) answer)
    {
        var found = answer.Body.ValueKind is JsonValueKind.Object && answer.Body.TryGetProperty("type", out var value) ? value.GetString() : "no problem";
        var failed = answer.Body.ValueKind is JsonValueKind.Object && answer.Body.TryGetProperty("failed", out var ids) ? $": {string.Join(", ", ids.EnumerateArray().Select(id => id.GetString()))}" : "";
        return new DemoStep(s_attacks, title, found == type, $"{answer.Status} {found}{failed}");
    }

    private async Task<(string Id, string Nonce)> ChallengeAsync(CancellationToken cancellation)
    {
        var (_, body) = await _server!.PostAsync("/v1/challenges", "{}", null, cancellation).ConfigureAwait(false);
        return (body.GetProperty("id").GetString()!, body.GetProperty("nonce").GetString()!);
    }

    private Task<(int Status, JsonElement Body)> AppraiseAsync(string challenge, string audience, string evidence, CancellationToken cancellation) => _server!.PostAsync(
        "/v1/appraisals", $$"""{"challenge":"{{challenge}}","audience":"{{audience}}","evidence":{{evidence}}}""", null, cancellation);

    private async Task<string> EvidenceAsync(string challenge, CancellationToken cancellation)
    {
        var answer = await _vm.EvidenceAsync(challenge, "release", cancellation).ConfigureAwait(false);
        return answer.ExitCode == 0 ? answer.Output : throw new InvalidOperationException(answer.Error);
    }
}

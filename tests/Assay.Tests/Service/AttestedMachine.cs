using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Assay.Cli.Demo;
using Assay.Simulator;
using Assay.Tests.Guest;

namespace Assay.Tests.Service;

/// <summary>A simulated VM that booted through its gate, with its makers' services: one for all tests of the service, which only ask it.</summary>
public sealed class AttestedMachine : IAsyncLifetime
{
    private SimulatedAuthority? _authority;
    private DemoVm? _vm;
    private RelyingParty? _party;

    internal DemoVm Vm => _vm!;

    public string Services => Vm.Services;

    public byte[] Anchors => Vm.Hardware.Anchors;

    public async ValueTask InitializeAsync()
    {
        var now = TimeProvider.System.GetUtcNow();
        _authority = SimulatedAuthority.Create(now);
        _vm = await DemoVm.StartAsync(GuestWorld.Program, _authority, SimulatedIntel.Create(now), now, CancellationToken.None);
        _vm.Prepare(GuestFault.None);
        Assert.Null(await _vm.BootAsync(CancellationToken.None));
        // The platform has collateral from its first quote on.
        await EvidenceAsync(new string('1', 64));
        _party = await _vm.RelyingPartyAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await Vm.DisposeAsync();
        _authority!.Dispose();
    }

    /// <summary>Our bundle over a challenge.</summary>
    public async Task<string> EvidenceAsync(string challenge)
    {
        var answer = await Vm.EvidenceAsync(challenge, "release", CancellationToken.None);
        Assert.True(answer.ExitCode == 0, answer.Error);
        return answer.Output;
    }

    /// <summary>A request of NVIDIA's clients over the GPUs, or the switches.</summary>
    public string NvidiaRequest(string nonce, string claims, string kind = "gpu")
    {
        var list = Vm.Devices(Convert.FromHexString(nonce)).Where(device => device.Kind == kind).Select(device => new JsonObject { ["evidence"] = device.Report, ["certificate"] = device.Chain });
        return new JsonObject { ["nonce"] = nonce, ["arch"] = kind == "gpu" ? "HOPPER" : "LS10", ["claims_version"] = claims, ["evidence_list"] = new JsonArray([.. list]) }.ToJsonString();
    }

    /// <summary>What the image's publisher knows of it.</summary>
    public JsonNode References => JsonNode.Parse(_party!.ReferenceFile(Vm.Hardware))!;

    /// <summary>The policy document of a relying party that knows this image, with a test that passes; members of <c>expect</c> and <c>token</c> may be others.</summary>
    public JsonObject Policy(string id, string audience, string trial, Action<JsonObject>? change = null)
    {
        var policy = new JsonObject
        {
            ["version"] = 1,
            ["id"] = id,
            ["audiences"] = new JsonArray(audience),
            ["expect"] = new JsonObject
            {
                ["gpus"] = DemoVm.Gpus,
                ["switches"] = DemoVm.Switches,
                ["binding"] = "boot-event",
                ["secureBoot"] = true,
                ["referenceValues"] = References,
                ["acceptWeakened"] = new JsonArray("reference-values-unsigned"),
            },
            ["token"] = new JsonObject(),
            ["tests"] = new JsonArray(new JsonObject { ["name"] = "the machine passes", ["expect"] = "pass", ["evidence"] = JsonNode.Parse(trial) }),
        };
        change?.Invoke(policy);
        return policy;
    }

    /// <summary>Evidence for a policy's own test.</summary>
    public Task<string> TrialAsync() => EvidenceAsync(Convert.ToHexStringLower(SHA256.HashData("a policy's own test"u8)));
}

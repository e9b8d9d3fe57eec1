using System.Text;
using System.Text.Json.Nodes;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Client.Channels;
using Assay.Evidence.Files;
using Assay.Simulator;

namespace Assay.Cli.Demo;

/// <summary>
/// Evidence of a booted VM for a channel key of this process: the part of the VM that the thief has read. <c>assay-guest proxy</c> makes the same, from the same hardware.
/// </summary>
/// <param name="hardware">Its devices and processor.</param>
/// <param name="log">Its boot log, as its agent shows it.</param>
internal sealed class DemoEvidence(SimulatedGuest hardware, string log) : IChannelEvidenceSource
{
    public Task<ReadOnlyMemory<byte>> MakeAsync(string nonce, ReadOnlyMemory<byte> key, bool byDigest, CancellationToken cancellation)
    {
        if (byDigest || !KeyBinding.TryCreate(nonce, key.Span, out var binding, out _))
        {
            throw new ChannelException("channel.own-evidence", "evidence for each connection is all that is made here");
        }

        var asked = Convert.ToHexStringLower(binding.DeviceNonce().Bytes);
        var bundle = new JsonObject { ["version"] = 1, ["nonce"] = asked, ["gpus"] = Devices("gpu.evidence", asked), ["switches"] = Devices("switch.evidence", asked) };
        var evidence = MachineEvidence.TryParse(Encoding.UTF8.GetBytes(bundle.ToJsonString()), "the VM", out var read, out var fault) ? read.Devices : throw new InvalidOperationException($"{fault}");
        var data = binding.ReportData(AdditionalEvidence.Of(evidence));
        var report = Ask(new JsonObject { ["op"] = "cpu.report", ["data"] = Convert.ToHexStringLower(data) });
        bundle["nonce"] = nonce;
        bundle["cpu"] = new JsonObject { ["tee"] = (string?)report["tee"], ["quote"] = (string?)report["report"], ["eventLog"] = log };
        bundle["key"] = JsonNode.Parse(binding.Jwk);
        return Task.FromResult<ReadOnlyMemory<byte>>(Encoding.UTF8.GetBytes(bundle.ToJsonString()));
    }

    private JsonArray Devices(string operation, string nonce)
    {
        var answer = Ask(new JsonObject { ["op"] = operation, ["nonce"] = nonce });
        return [.. answer["devices"]!.AsArray().Select(device => (JsonNode)new JsonObject { ["evidence"] = (string?)device!["report"], ["certificate"] = (string?)device["chain"] })];
    }

    private JsonNode Ask(JsonObject request) => JsonNode.Parse(hardware.Answer(Encoding.UTF8.GetBytes(request.ToJsonString())))!;
}

using System.Text.Json;
using Assay.Checks;
using Assay.Policy;
using Assay.Tokens;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Cli.Demo;

/// <summary>The demonstration for programs. Members of chapters that were not asked for are absent.</summary>
internal sealed class DemoJson(DemoStage stage, Utf8JsonWriter writer, CancellationToken cancellation)
{
    public static async Task<bool> PrintAsync(DemoStage stage, DemoChapter? only, CancellationToken cancellation)
    {
        using var buffer = new MemoryStream();
        using var writer = new Utf8JsonWriter(buffer, HarmlessJson.Options);
        var self = new DemoJson(stage, writer, cancellation);
        writer.WriteStartObject();
        var asExpected = (only is not (null or DemoChapter.Devices) || await self.WriteDevicesAsync().ConfigureAwait(false))
            & (only is not (null or DemoChapter.Machine) || await self.WriteMachineAsync().ConfigureAwait(false));
        asExpected &= only is DemoChapter.Outage || await self.WriteAttacksAsync(only).ConfigureAwait(false);
        asExpected &= only is not (null or DemoChapter.Outage) || await self.WriteOutageAsync().ConfigureAwait(false);
        writer.WriteBoolean("asExpected", asExpected);
        writer.WriteEndObject();
        await writer.FlushAsync(cancellation).ConfigureAwait(false);
        using var output = Console.OpenStandardOutput();
        output.Write(HarmlessJson.Of(buffer.ToArray()));
        output.Write("\n"u8);
        return asExpected;
    }

    private async Task<bool> WriteDevicesAsync()
    {
        var honest = await stage.VerifyAsync(stage.Honest, cancellation).ConfigureAwait(false);
        var shipped = ShippedSet.TryFind() is { } scene ? await DemoStage.VerifyAsync(scene, new VerifierCache(), cancellation).ConfigureAwait(false) : null;
        var token = EatBundleReader.TryVerify(stage.Token(honest), stage.Keys, stage.ExpectToken(stage.Nonce), out _, out _);
        writer.WriteString("shipped", shipped?.Word);
        writer.WriteString("honest", honest.Word);
        writer.WriteBoolean("tokenAccepted", token);
        return token && honest.Kind is VerdictKind.Pass && shipped is null or { Kind: VerdictKind.Pass };
    }

    private async Task<bool> WriteMachineAsync()
    {
        var cvm = await stage.CvmAsync(cancellation).ConfigureAwait(false);
        var machine = await cvm.HonestAsync().ConfigureAwait(false);
        writer.WriteString("machine", machine.Word);
        writer.WriteString("binding", machine.Binding);
        return machine is { Kind: VerdictKind.Pass, Binding: "boot-event" };
    }

    private async Task<bool> WriteAttacksAsync(DemoChapter? only)
    {
        var asExpected = true;
        writer.WriteStartArray("attacks");
        IEnumerable<DemoAttacks.Attack> attacks = only switch
        {
            DemoChapter.Devices => DemoAttacks.All,
            DemoChapter.Machine => DemoAttacks.OnMachine,
            _ => DemoAttacks.All.Concat(DemoAttacks.OnMachine),
        };
        foreach (var attack in attacks)
        {
            var answer = await attack.RunAsync(stage, cancellation).ConfigureAwait(false);
            asExpected &= answer.Refused;
            writer.WriteStartObject();
            writer.WriteString("attack", attack.Title);
            writer.WriteBoolean("refused", answer.Refused);
            writer.WriteString("finding", attack.Finding);
            writer.WriteString("reason", answer.Reason);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        return asExpected;
    }

    private async Task<bool> WriteOutageAsync()
    {
        var plug = await DemoPlug.PullAsync(stage, cancellation).ConfigureAwait(false);
        writer.WriteStartObject("outage");
        writer.WriteString("throughProxy", plug.Proxied.Word);
        writer.WriteString("fromCache", plug.Cached.Word);
        writer.WriteString("fromBundle", plug.Alone.Word);
        writer.WriteString("pastGoodUntil", plug.Past?.Id);
        writer.WriteEndObject();
        return plug.AsExpected;
    }
}

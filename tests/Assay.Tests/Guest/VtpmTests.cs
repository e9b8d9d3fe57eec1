using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Assay.Evidence.Files;
using Assay.Guest;
using Assay.Guest.Sources;
using Assay.Policy;
using Additional = Assay.Appraisal.Machine.AdditionalEvidence;

namespace Assay.Tests.Guest;

/// <summary>
/// A guest whose register is a PCR of a vTPM inside the TEE: the whole gate on a software TPM, and what a relying party concludes from the agent's evidence.
/// Beside the honest machine stand those who have another's TPM, log or report.
/// </summary>
public sealed class VtpmTests
{
    private const string Challenge = "Y2hhbGxlbmdlIG9mIHRoZSByZWx5aW5nIHBhcnR5";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_the_gate_wrote_into_a_PCR_behind_a_paravisor_binds_the_GPUs_by_its_boot_event(bool isTdx)
    {
        await using var guest = await VtpmGuest.BootAsync(isTdx);
        var bundle = guest.Evidence(Challenge);

        var verdict = await guest.JudgeAsync(bundle, Challenge);
        var nameless = await guest.JudgeAsync(bundle, Challenge, namesParavisor: false);

        Assert.True(verdict.Passed, $"{verdict} {string.Join(' ', VtpmGuest.Failed(verdict))}");
        Assert.Equal(("boot-event", "proven"), (verdict.Binding, verdict.Freshness));
        Assert.DoesNotContain("paravisor-not-named", verdict.Weakened);
        Assert.Equal("az-vtpm", JsonNode.Parse(bundle)!["cpu"]!["tee"]!.GetValue<string>());
        Assert.True(guest.World.Hardware.IsReady);
        Assert.False(nameless.Passed);
        Assert.Equal("none", nameless.Binding);
    }

    [Fact]
    public async Task The_gate_writes_both_banks_of_a_PCR_and_runs_once_in_a_boot()
    {
        await using var guest = await VtpmGuest.BootAsync();

        var events = guest.Log().Events;
        Assert.Equal(["gpu-policy", "gpu-attestation", "system-ready"], events.Select(item => item.Name));
        Assert.Equal(events.Aggregate(new byte[32], (value, item) => SHA256.HashData([.. value, .. item.Digests[0].Bytes])), guest.Tpm.Pcr(VtpmGuest.Pcr, "sha256"));
        Assert.Equal(events.Aggregate(new byte[48], (value, item) => SHA384.HashData([.. value, .. item.Digests[1].Bytes])), guest.Tpm.Pcr(VtpmGuest.Pcr, "sha384"));

        var second = await guest.GateAsync();

        Assert.Equal("gate.already-ran", second.Fault!.Id);
        Assert.False(guest.World.Hardware.IsReady);
        Assert.Equal(3, guest.Log().Events.Length);
    }

    [Fact]
    public async Task A_quote_of_another_TPM_is_refused_by_the_gate_and_by_the_relying_party()
    {
        await using var guest = await VtpmGuest.BootAsync();
        using var other = new ParavisorTpm(isTdx: false);
        var bundle = guest.Evidence(Challenge);
        var (own, foreign) = (guest.ReportFor(bundle, Challenge, guest.Transport), guest.ReportFor(bundle, Challenge, other.Transport));

        // Their quote under our HCL report, our quote under theirs, and all of it theirs: their PCRs have no gate's events.
        var quote = new VtpmReport(own.HclReport, foreign.Message, foreign.Signature, foreign.Pcrs, foreign.Modulus);
        var report = new VtpmReport(foreign.HclReport, own.Message, own.Signature, own.Pcrs, own.Modulus);
        foreach (var (mixed, made, check) in new[] { (quote, guest.Tpm, "tpm.quote.signature.valid"), (report, other, "tpm.quote.signature.valid"), (foreign, other, "boot.log.replayed") })
        {
            var verdict = await guest.JudgeAsync(VtpmGuest.With(bundle, mixed.ToJson("vcek", made.Made.Snp!.Certificates[^1])), Challenge);

            Assert.False(verdict.Passed);
            Assert.NotEqual("boot-event", verdict.Binding);
            Assert.Contains(check, VtpmGuest.Failed(verdict));
        }

        // The gate asks the same of its own.
        var data = guest.Bind(Challenge).ReportData(AdditionalEvidence(bundle));
        foreach (var mixed in new[] { quote, report })
        {
            Assert.Equal("gate.report.key", Assert.Throws<GuestException>(() => Guest(mixed, data)).Fault.Id);
        }

        Guest(own, data);
        void Guest(VtpmReport told, byte[] asked) => Assay.Guest.Gate.OwnVtpmReport.Require(told, asked, VtpmGuest.Pcr, guest.Sources.Register(VtpmGuest.Pcr).Read());
    }

    [Fact]
    public async Task A_TPM_whose_HCL_report_names_another_key_ends_the_gate_closed()
    {
        using var other = new ParavisorTpm(isTdx: false);
        await using var guest = await VtpmGuest.StartAsync(tpm: new ParavisorTpm(isTdx: false, hclOf: other));

        var report = await guest.GateAsync();

        Assert.Equal(("nonce", "gate.report.key"), (report.Step, report.Fault!.Id));
        Assert.False(guest.World.Hardware.IsReady);
        Assert.Equal(["gpu-policy"], guest.World.Events());
    }

    [Fact]
    public async Task A_quote_that_was_given_before_is_no_report_of_now()
    {
        await using var guest = await VtpmGuest.StartAsync();
        guest.Transport = new ReplayedQuotes(guest.Tpm.Transport);
        var devices = guest.Devices;
        var register = guest.Sources.Register(VtpmGuest.Pcr).Read();

        devices.OwnReport(new byte[64], register);

        // Of these very registers, and about what was asked for then. After an event it is not even of these registers.
        Assert.Equal("gate.report.other", Assert.Throws<GuestException>(() => devices.FreshNonce(register)).Fault.Id);
        Assert.Equal("source.tpm.failed", (await guest.GateAsync()).Fault!.Id);
        Assert.False(guest.World.Hardware.IsReady);
    }

    [Fact]
    public async Task A_log_that_was_edited_explains_no_PCR()
    {
        await using var guest = await VtpmGuest.BootAsync();
        var bundle = guest.Evidence(Challenge);
        Func<JsonArray, JsonArray>[] edits =
        [
            log => { log.RemoveAt(2); return log; },
            log => { log.RemoveAt(0); return log; },
            log => { log.Add(log[2]!.DeepClone()); return log; },
            log => { (log[0], log[1]) = (log[1]!.DeepClone(), log[0]!.DeepClone()); return log; },
            log => { log[0]!["pcr"] = 14; return log; },
        ];

        foreach (var edit in edits)
        {
            var verdict = await guest.JudgeAsync(VtpmGuest.WithLog(bundle, edit), Challenge);

            Assert.False(verdict.Passed);
            Assert.NotEqual("boot-event", verdict.Binding);
        }
    }

    [Fact]
    public async Task Evidence_of_before_the_boundary_is_no_workloads()
    {
        await using var guest = await VtpmGuest.StartAsync();
        Assert.Null((await guest.GateAsync()).Fault);

        var early = await guest.JudgeAsync(guest.Evidence(Challenge), Challenge);
        guest.Seal();
        var late = await guest.JudgeAsync(guest.Evidence(Challenge), Challenge);

        Assert.False(early.Passed);
        Assert.NotEqual("boot-event", early.Binding);
        Assert.Contains("boot.boundary.match", VtpmGuest.Failed(early));
        Assert.True(late.Passed, $"{late}");
    }

    [Fact]
    public async Task Evidence_for_one_challenge_answers_no_other()
    {
        await using var guest = await VtpmGuest.BootAsync();

        var verdict = await guest.JudgeAsync(guest.Evidence(Challenge), "YW5vdGhlciBjaGFsbGVuZ2U=");

        Assert.False(verdict.Passed);
        Assert.Contains("tpm.quote.nonce.match", VtpmGuest.Failed(verdict));
    }

    [Fact]
    public async Task What_was_extended_behind_the_logs_back_is_found_by_gate_agent_and_relying_party()
    {
        await using var guest = await VtpmGuest.BootAsync();
        // The relying party: a quote after an event, with a log that lacks it.
        guest.Log().Append(Assay.Policy.GateEvents.Skipped);
        var forged = System.Text.Json.Nodes.JsonNode.Parse(guest.Evidence(Challenge))!.AsObject();
        var events = System.Text.Json.Nodes.JsonNode.Parse(Convert.FromBase64String(forged["cpu"]!["eventLog"]!.GetValue<string>()))!.AsArray();
        events.RemoveAt(events.Count - 1);
        forged["cpu"]!["eventLog"] = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(events.ToJsonString()));
        var log = guest.Log();
        SwtpmTransport.Extend(guest.Tpm.Port, (byte)VtpmGuest.Pcr, SHA256.HashData("somebody"u8), SHA384.HashData("somebody"u8));

        Assert.Equal("gate.log.mismatch", Assert.Throws<GuestException>(() => guest.Evidence(Challenge)).Fault.Id);
        Assert.Equal("gate.report.register", Assert.Throws<GuestException>(() => guest.Evidence(Challenge, log)).Fault.Id);
        var verdict = await guest.JudgeAsync(System.Text.Encoding.UTF8.GetBytes(forged.ToJsonString()), Challenge);

        Assert.False(verdict.Passed);
        Assert.NotEqual("boot-event", verdict.Binding);
        Assert.Contains("boot.log.replayed", VtpmGuest.Failed(verdict));

        await using var early = await VtpmGuest.StartAsync();
        SwtpmTransport.Extend(early.Tpm.Port, (byte)VtpmGuest.Pcr, SHA256.HashData("somebody"u8), SHA384.HashData("somebody"u8));
        Assert.Equal("gate.log.mismatch", (await early.GateAsync()).Fault!.Id);
    }

    private static string AdditionalEvidence(byte[] bundle)
    {
        Assert.True(MachineEvidence.TryParse(bundle, "guest", out var evidence, out var fault), $"{fault}");
        return Additional.Of(evidence.Devices);
    }

    /// <summary>A host between guest and TPM that answers every quote with the first one.</summary>
    private sealed class ReplayedQuotes(ITpmTransport tpm) : ITpmTransport
    {
        private byte[]? _first;

        public byte[] Exchange(ReadOnlySpan<byte> command) => command[6..10] is not [0, 0, 0x01, 0x58] ? tpm.Exchange(command)
            : _first is { } known && known[9] == 0 ? known
            : _first = tpm.Exchange(command);

        public void Dispose() => tpm.Dispose();
    }
}

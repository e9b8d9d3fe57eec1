using System.Collections.Immutable;
using Assay.Appraisal.Boot;
using Assay.Authentication;
using Assay.Binding;
using Assay.Checks;
using Assay.Evidence.EventLogs;
using Assay.Wire;

namespace Assay.Tests.Boot;

/// <summary>What recorded logs tell, once their registers are believed.</summary>
public class RecordedBootTests
{
    private static readonly BootExpectations s_lax = new() { RequireSecureBoot = false, Gate = null };

    [Fact]
    public void A_dstack_machine_s_late_event_is_shown_and_not_believed()
    {
        var quoted = QuotedRegisters.OfRtmrs(RecordedLogTests.RtmrsOf("cpu/dstack/quote-report.quote.bin"));
        var gate = new GateRequirement { Phase = BootPhase.Run, Register = 3, Policies = [new Digest(new byte[48])], Outcome = GateOutcome.Attested, Devices = null };

        var result = BootAppraisal.Appraise(Recorded.Bytes("cpu/dstack/quote-report.eventlog.json"), quoted, s_lax with { Gate = gate });

        var record = result.Record!;
        Assert.Equal(["system-preparing", "app-id", "compose-hash", "instance-id", "boot-mr-done", "key-provider", "system-ready", "LIUM_MINER_HOTKEY"], record.Events.Select(item => item.Event.Name));
        Assert.Equal([false, false, false, false, false, false, false, true], record.Events.Select(item => item.IsLate));
        Assert.All(record.Events.Where(item => item.Event.Name != "system-ready"), item => Assert.Null(item.Payload));
        // No gate of ours ran there, and dstack's neither: it holds all that its registers say, and binds no GPU.
        Assert.True(record.HasBoundary);
        Assert.Equal("boot.gate.complete boot.gpu.policy.accepted boot.gpu.attested boot.gpu.cc.on", BootWorld.Failed(result));
        Assert.False(result.CarriesBootEvent);
    }

    [Fact]
    public void A_dstack_machine_boots_its_kernel_without_Secure_Boot()
    {
        var quoted = QuotedRegisters.OfRtmrs(RecordedLogTests.RtmrsOf("cpu/dstack/quote-report.quote.bin"));

        var result = BootAppraisal.Appraise(Recorded.Bytes("cpu/dstack/quote-report.eventlog.json"), quoted, s_lax);

        Assert.Equal("", BootWorld.Failed(result));
        Assert.Equal((SecureBootState.Off, "SecureBoot is not set"), (result.Facts!.SecureBoot, result.Facts.SecureBootReason));
        Assert.Equal("BootApplication in 1, CommandLine in 2, Initrd in 2", string.Join(", ", result.Facts.Measurements.Select(item => $"{item.Role} in {item.Register}")));
        Assert.Equal("0761fbfa", result.Facts.Measurements[0].Digest.ToString()[..8]);
        // The text of this command line is in no event: only its digest is.
        Assert.All(result.Facts.Measurements, item => Assert.Null(item.Text));
        var strict = BootAppraisal.Appraise(Recorded.Bytes("cpu/dstack/quote-report.eventlog.json"), quoted, s_lax with { RequireSecureBoot = true });
        Assert.Equal("boot.secure-boot.on", BootWorld.Failed(strict));
    }

    [Fact]
    public void A_quote_of_another_machine_is_not_explained_by_the_log()
    {
        var other = QuotedRegisters.OfRtmrs(RecordedLogTests.RtmrsOf("cpu/dstack/guest-agent.quote.bin"));

        var result = BootAppraisal.Appraise(Recorded.Bytes("cpu/dstack/quote-report.eventlog.json"), other, s_lax);

        Assert.Equal("boot.log.replayed", BootWorld.Failed(result));
        Assert.Empty(result.Log!.Events.Where(item => item.Register == 3));
    }

    [Fact]
    public void The_ACPI_log_of_a_dstack_machine_tells_its_kernel()
    {
        var log = RecordedLogTests.Read("cpu/eventlog/dstack_ccel.bin");
        var values = log.Replay(TcgHash.Sha384);
        // No quote was recorded with it: RTMR2 and RTMR3 are anything.
        var quoted = QuotedRegisters.OfRtmrs([values[0], values[1], new Digest(new byte[48]), new Digest(new byte[48])]);

        var result = BootAppraisal.Appraise(log, quoted, s_lax);

        Assert.Equal("", BootWorld.Failed(result));
        Assert.Equal([0, 1], result.Log!.Replayed);
        Assert.Equal(SecureBootState.Off, result.Facts!.SecureBoot);
        Assert.Equal(BootRole.BootApplication, Assert.Single(result.Facts.Measurements).Role);
    }

    [Theory]
    [InlineData(TcgHash.Sha256)]
    [InlineData(TcgHash.Sha384)]
    public void A_Google_machine_s_log_tells_Secure_Boot_kernel_command_line_and_initrd(TcgHash bank)
    {
        var log = RecordedLogTests.Read("cpu/tpm/gcp_tpm_eventlog.bin");
        var quoted = QuotedRegisters.OfPcrs(bank, log.Replay(bank), isInTee: false);

        var result = BootAppraisal.Appraise(log, quoted, s_lax);

        Assert.Equal("", BootWorld.Failed(result));
        Assert.Equal(CheckState.Held, BootWorld.Of(result, "boot.log.data.match").State);
        Assert.Equal(SecureBootState.Off, result.Facts!.SecureBoot);
        Assert.Equal("BootApplication in 2, Kernel in 11, CommandLine in 11, Initrd in 11, BootApplication in 2, CommandLine in 9, Initrd in 9", string.Join(", ", result.Facts.Measurements.Select(item => $"{item.Role} in {item.Register}")));
    }

    [Theory]
    [InlineData("cpu/eventlog/dstack_ccel.bin")]
    [InlineData("cpu/tpm/gcp_tpm_eventlog.bin")]
    [InlineData("cpu/dstack/quote-report.eventlog.json")]
    public void No_flipped_bit_of_a_recorded_log_leaves_its_registers_explained_and_its_events_another(string file) => NothingSurvives(file, 1 + (8 * Recorded.Bytes(file).Length / 6000));

    [Theory]
    [Trait("Category", "Soak")]
    [InlineData("cpu/eventlog/dstack_ccel.bin")]
    [InlineData("cpu/tpm/gcp_tpm_eventlog.bin")]
    [InlineData("cpu/dstack/quote-report.eventlog.json")]
    public void No_flipped_bit_at_all_of_a_recorded_log_leaves_its_events_another(string file) => NothingSurvives(file, 1);

    [Theory]
    [InlineData("cpu/eventlog/dstack_ccel.bin")]
    [InlineData("cpu/tpm/gcp_tpm_eventlog.bin")]
    [InlineData("cpu/dstack/quote-report.eventlog.json")]
    public void A_prefix_of_a_recorded_log_is_refused_or_explains_less(string file)
    {
        var bytes = Recorded.Bytes(file).AsSpan().TrimEnd("\r\n "u8).ToArray();
        var whole = RecordedLogTests.Read(file);
        var shorter = 0;
        for (var length = 0; length < bytes.Length; length += Math.Max(1, bytes.Length / 4000))
        {
            if (!EventLog.TryParse(bytes.AsSpan(0, length), out var log, out var fault))
            {
                Assert.NotNull(fault);
                continue;
            }

            // Whole records alone; a shorter padding is the same log.
            shorter++;
            Assert.True(log.Events.Length <= whole.Events.Length);
            Assert.Equal(whole.Events.Take(log.Events.Length).Select(item => item.Digests[0]), log.Events.Select(item => item.Digests[0]));
        }

        Assert.Equal(whole.Form is EventLogForm.Json, shorter == 0);
    }

    private static void NothingSurvives(string file, int step)
    {
        var bytes = Recorded.Bytes(file);
        var genuine = RecordedLogTests.Read(file);
        var bank = genuine.Banks[^1];
        var expected = string.Join(' ', genuine.Replay(bank));
        foreach (var flipped in Properties.FlipTests.Flips(bytes, step))
        {
            if (!EventLog.TryParse(flipped, out var log, out var fault))
            {
                Assert.NotNull(fault);
            }
            else if (log.Registers == genuine.Registers && log.Banks.Contains(bank) && string.Join(' ', log.Replay(bank)) == expected)
            {
                // What a replay cannot see (data, types, names, other banks) is never believed by it alone: digests and order are the same.
                Assert.Equal(Extended(genuine, bank), Extended(log, bank));
                Assert.All(log.Events, item => Assert.True(item.Version is RuntimeEventVersion.None || item.Digests[0] == new RuntimeEventDigestOf(item).Digest));
            }
        }
    }

    private static ImmutableArray<(int Register, Digest Digest)> Extended(EventLog log, TcgHash bank) =>
        [.. log.Events.Where(item => item.IsExtended).Select(item => (item.Register, item.Digests[log.Banks.IndexOf(bank)]))];

    private sealed record RuntimeEventDigestOf(BootEvent Item)
    {
        public Digest Digest => TcgHash.Sha384.Of(RuntimeEventDigest.Preimage(Item.Name!, Item.Data.Span, Item.Version));
    }
}

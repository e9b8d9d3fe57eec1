using System.Text.Json;
using Assay.Authentication;
using Assay.Evidence.EventLogs;
using Assay.Wire;

namespace Assay.Tests.Boot;

/// <summary>Logs that machines left: read to the last byte, and replayed into the values that their hardware signed.</summary>
public class RecordedLogTests
{
    /// <summary>RTMR0 in a TD quote of version 4: header 48, and 328 bytes into the TD report body (facts: dstack.md §5.1).</summary>
    private const int Rtmr0 = 48 + 328;

    [Fact]
    public void The_log_of_a_dstack_machine_replays_into_the_four_registers_that_its_quote_signs()
    {
        var log = Read("cpu/dstack/quote-report.eventlog.json");

        Assert.Equal((EventLogForm.Json, RegisterKind.Rtmr, 28), (log.Form, log.Registers, log.Events.Length));
        var replayed = log.Replay(TcgHash.Sha384);
        Assert.Equal([0, 1, 2, 3], replayed.Keys);
        var quoted = RtmrsOf("cpu/dstack/quote-report.quote.bin");
        Assert.All(replayed, pair => Assert.Equal(quoted[pair.Key], pair.Value));
        Assert.True(AuthenticEventLog.TryReplay(log, QuotedRegisters.OfRtmrs(quoted), out var authentic, out var whyNot), whyNot);
        Assert.Equal([0, 1, 2, 3], authentic.Replayed);
        Assert.Empty(authentic.Mismatches);
        // Every runtime event's digest is that of its name and payload, in the first form.
        Assert.All(log.Events.Where(item => item.Register == 3), item => Assert.Equal(RuntimeEventVersion.V1, item.Version));
    }

    [Fact]
    public void The_log_in_the_quote_report_is_the_log_beside_it()
    {
        using var report = JsonDocument.Parse(Recorded.Bytes("cpu/dstack/quote-report.json"));
        var inside = System.Text.Encoding.UTF8.GetBytes(report.RootElement.GetProperty("event_log").GetString()!);

        Assert.True(EventLog.TryParse(inside, out var log, out var fault), fault?.ToString());
        Assert.Equal(Read("cpu/dstack/quote-report.eventlog.json").Replay(TcgHash.Sha384), log.Replay(TcgHash.Sha384));
        Assert.Equal(Recorded.Bytes("cpu/dstack/quote-report.quote.bin"), Convert.FromHexString(report.RootElement.GetProperty("quote").GetString()!));
    }

    [Fact]
    public void The_ACPI_log_of_a_dstack_machine_replays_into_RTMR0_and_RTMR1()
    {
        var log = Read("cpu/eventlog/dstack_ccel.bin");

        Assert.Equal((EventLogForm.Ccel, RegisterKind.Rtmr, 18), (log.Form, log.Registers, log.Events.Length));
        var replayed = log.Replay(TcgHash.Sha384);
        Assert.Equal([0, 1], replayed.Keys);
        Assert.Equal("274c2344116db7c663470693b5ba62b8621eac28cb41d2f816ddf188f9f423f900a1c44d32386fd3c993dc814e62af9d", replayed[0].ToString());
        Assert.Equal("bdcf4ee0f7fdfe7c73fbb19ded73193aee23a6726b86d3b282ea097cf4c9ed7a0db21b5c1ccd513e410d90e310836b26", replayed[1].ToString());
    }

    [Fact]
    public void The_ACPI_log_reads_as_dstack_reads_it()
    {
        var log = Read("cpu/eventlog/dstack_ccel.bin");
        var snapshot = Recorded.Text("cpu/eventlog/dstack_ccel.expected.snap");
        using var expected = JsonDocument.Parse(snapshot[snapshot.IndexOf("\n[", StringComparison.Ordinal)..]);
        var rows = expected.RootElement.EnumerateArray().ToArray();

        Assert.Equal(rows.Length, log.Events.Length);
        foreach (var (number, row) in rows.Index())
        {
            var item = log.Events[number];
            Assert.Equal(row.GetProperty("imr").GetInt32(), item.Register);
            Assert.Equal(row.GetProperty("event_type").GetUInt32(), item.Type);
            Assert.Equal(row.GetProperty("digest").GetString(), Assert.Single(item.Digests).ToString());
            Assert.Equal(row.GetProperty("event_payload").GetString(), Convert.ToHexStringLower(item.Data.Span));
        }
    }

    [Fact]
    public void The_log_of_a_Google_machine_replays_into_the_known_registers()
    {
        var log = Read("cpu/tpm/gcp_tpm_eventlog.bin");

        Assert.Equal((EventLogForm.Tcg, RegisterKind.Pcr), (log.Form, log.Registers));
        Assert.Equal(45, log.Events.Length);
        Assert.Equal([TcgHash.Sha1, TcgHash.Sha256, TcgHash.Sha384], log.Banks);
        var replayed = log.Replay(TcgHash.Sha256);
        // The value that every Google machine with this firmware has; tpm2_eventlog 5.4 extends two EV_NO_ACTION events and prints another.
        Assert.Equal("0cca9ec161b09288802e5a112255d21340ed5b797f5fe29cecccfd8f67b9f802", replayed[0].ToString());
        Assert.Equal("3d458cfe55cc03ea1f443f1562beec8df51c75e14a9fcf9a7234a13f198e7969", replayed[3].ToString());
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 9, 11], replayed.Keys);
    }

    [Fact]
    public void Tpm2_eventlog_agrees_on_every_register_and_bank_but_one()
    {
        var peer = Peer.Require("tpm2_eventlog");
        var log = Read("cpu/tpm/gcp_tpm_eventlog.bin");
        var theirs = PcrsOf(peer.Run(Recorded.PathOf("cpu/tpm/gcp_tpm_eventlog.bin")).Output);

        Assert.Equal(3 * 10, theirs.Count);
        foreach (var (bank, label) in new[] { (TcgHash.Sha1, "sha1"), (TcgHash.Sha256, "sha256"), (TcgHash.Sha384, "sha384") })
        {
            foreach (var (register, value) in log.Replay(bank))
            {
                // PCR 0: the peer extends the two "SP800-155 Event3" records of type EV_NO_ACTION, which are never extended.
                Assert.Equal(register != 0, theirs[(label, register)] == value.ToString());
            }
        }
    }

    internal static EventLog Read(string file)
    {
        Assert.True(EventLog.TryParse(Recorded.Bytes(file), out var log, out var fault), fault?.ToString());
        return log;
    }

    internal static Digest[] RtmrsOf(string quote)
    {
        var bytes = Recorded.Bytes(quote);
        return [.. Enumerable.Range(0, 4).Select(index => new Digest(bytes.AsSpan(Rtmr0 + (48 * index), 48)))];
    }

    private static Dictionary<(string Bank, int Register), string> PcrsOf(string output)
    {
        var found = new Dictionary<(string Bank, int Register), string>();
        var bank = "";
        foreach (var line in output[output.IndexOf("\npcrs:", StringComparison.Ordinal)..].Split('\n'))
        {
            var words = line.Split(':', StringSplitOptions.TrimEntries);
            if (words is [['s', 'h', 'a', ..] name, ""])
            {
                bank = name;
            }
            else if (words is [var register, ['0', 'x', .. var value]])
            {
                found.Add((bank, int.Parse(register, System.Globalization.CultureInfo.InvariantCulture)), value);
            }
        }

        return found;
    }
}

using System.Text;
using System.Text.RegularExpressions;
using Assay.Evidence.EventLogs;
using Assay.Evidence.Files;
using Assay.Evidence.Spdm;
using Assay.Wire;

namespace Assay.Tests.Regressions;

/// <summary>What the field writes in more than one spelling was refused, and what is read so was listed nowhere.</summary>
public sealed partial class Bug0171_LenienciesTests
{
    private static readonly byte[] s_bytes = [.. Enumerable.Range(0, 250).Select(number => (byte)(number * 7 % 256))];

    [Fact]
    public void The_document_lists_each_and_no_other()
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "reference", "leniencies.md"));

        Assert.Equal(Leniency.All.Select(item => item.Name), Row().Matches(text).Select(match => match.Groups[1].Value).Order(StringComparer.Ordinal));
    }

    public static TheoryData<string> Spellings
    {
        get
        {
            var (hex, base64) = (Convert.ToHexStringLower(s_bytes), Convert.ToBase64String(s_bytes));
            var url = base64.Replace('+', '-').Replace('/', '_');
            return
            [
                hex, hex.ToUpperInvariant(), "0x" + hex, "0X" + hex, Wrapped(hex, "\n"), Wrapped(hex, "\r\n"), $"\n{hex}\r\n", "\uFEFF" + hex,
                base64, Wrapped(base64, "\n"), Wrapped(base64, "\r\n"), $"{base64}\n", "\uFEFF" + base64, url, url.TrimEnd('='), Wrapped(url, "\n"),
            ];
        }
    }

    public static TheoryData<string> Others
    {
        get
        {
            var (hex, base64) = (Convert.ToHexStringLower(s_bytes), Convert.ToBase64String(s_bytes));
            return
            [
                "", "0x", "\uFEFF", "0x0x" + hex, hex[1..], "0x" + hex[1..], "0x" + base64, "\uFEFF\uFEFF" + hex, base64[..40] + " " + base64[40..], base64[..40] + "\t" + base64[40..],
                base64.Replace('+', '-'), base64 + "=", base64[..^1], base64[..^4] + "AB==",
            ];
        }
    }

    [Theory]
    [MemberData(nameof(Spellings))]
    public void Every_spelling_stands_for_the_same_bytes(string text)
    {
        Assert.True(FileText.TryDecode(Encoding.UTF8.GetBytes(text), out var bytes));
        Assert.Equal(s_bytes, bytes);
    }

    [Theory]
    [MemberData(nameof(Others))]
    public void One_step_beyond_is_refused(string text) =>
        Assert.False(FileText.TryDecode(Encoding.UTF8.GetBytes(text), out var bytes) && bytes.AsSpan().SequenceEqual(s_bytes));

    [Fact]
    public void One_zero_byte_may_follow_a_report_and_no_other()
    {
        var report = Report();

        Assert.True(SpdmReport.TryParse([.. report, 0], out var parsed, out var fault), fault?.ToString());
        Assert.Equal(report, parsed.Bytes.ToArray());
        Assert.Equal(report[..^SpdmReport.SignatureSize], parsed.SignedBytes.ToArray());
        Assert.Equal(report[^SpdmReport.SignatureSize..], parsed.Signature.ToArray());
        foreach (byte[] tail in (byte[][])[[1], [0x0A], [0, 0], [0, 1]])
        {
            Assert.False(SpdmReport.TryParse([.. report, .. tail], out _, out fault));
            Assert.Equal("report", fault.Field);
        }
    }

    [Theory]
    [InlineData("noaction-register/idx0.bin")]
    [InlineData("noaction-register/idxffffffff.bin")]
    public void An_event_that_extends_nothing_may_name_any_register(string name)
    {
        Assert.True(EventLog.TryParse(Cases.Bytes(name), out var log, out var fault), fault?.ToString());
        Assert.True(EventLog.TryParse(Cases.Bytes("zero-padded-log/zero.bin"), out var without, out fault), fault?.ToString());

        Assert.Equal(RegisterKind.Rtmr, log.Registers);
        Assert.Equal(BootEvent.NoRegister, Assert.Single(log.Events, item => !item.IsExtended && item.Register < 0).Register);
        Assert.Equal(without.Replay(TcgHash.Sha384).Keys, log.Replay(TcgHash.Sha384).Keys);
    }

    [Fact]
    public void A_real_log_with_such_events_replays_in_all_its_registers()
    {
        Assert.True(EventLog.TryParse(Cases.Bytes("noaction-register/pc-real-option-rom.bin"), out var log, out var fault), fault?.ToString());
        Assert.Equal(RegisterKind.Pcr, log.Registers);
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7], log.Replay(TcgHash.Sha1).Keys.Where(register => register < 8));
    }

    [Fact]
    public void Only_that_type_may_name_no_register()
    {
        var log = Cases.Bytes("noaction-register/idx0.bin");
        // The record behind the header: its type, EV_NO_ACTION, becomes EV_SEPARATOR.
        var record = 32 + BitConverter.ToInt32(log, 28);
        Assert.Equal(3, log[record + 4]);
        log[record + 4] = 4;

        Assert.False(EventLog.TryParse(log, out _, out var fault));
        Assert.Equal("pcrIndex", fault.Field);
    }

    [Theory]
    [InlineData("zero-padded-log/zero.bin", EventLogForm.Ccel)]
    [InlineData("zero-padded-log/ff.bin", EventLogForm.Ccel)]
    [InlineData("zero-padded-log/td-shim-stripped.bin", EventLogForm.Ccel)]
    public void Logs_of_confidential_machines_are_those_of_their_registers(string name, EventLogForm form)
    {
        Assert.True(EventLog.TryParse(Cases.Bytes(name), out var log, out var fault), fault?.ToString());
        Assert.Equal((form, RegisterKind.Rtmr), (log.Form, log.Registers));
    }

    [Fact]
    public void The_log_of_a_shim_is_of_two_registers()
    {
        var file = Cases.Bytes("zero-padded-log/td-shim-stripped.bin");
        Assert.True(EventLog.TryParse(file, out var log, out _));
        Assert.Equal([0, 1], log.Replay(TcgHash.Sha384).Keys);
        Assert.True(EventLog.TryParse([.. file, .. new byte[64]], out var padded, out var fault), fault?.ToString());
        Assert.Equal(log.Events.Length, padded.Events.Length);

        // Another vendor's name in the header: a TPM's log, as the index says.
        var other = file.AsSpan().IndexOf("td-shim"u8);
        file[other] = (byte)'x';
        Assert.True(EventLog.TryParse(file, out var tpm, out fault), fault?.ToString());
        Assert.Equal(RegisterKind.Pcr, tpm.Registers);
    }

    [Fact]
    public void TCB_information_of_dstack_gives_its_log_and_its_registers()
    {
        var file = Cases.Bytes("dstack-tcb-info/tcb_info.json");

        Assert.True(DstackTcbInfo.TryParse(file, out var info, out var fault), fault?.ToString());
        Assert.True(info.LogGivesRegisters);
        Assert.True(EventLog.TryParse(file, out var log, out fault), fault?.ToString());
        Assert.Equal(29, log.Events.Length);
        var nested = Encoding.UTF8.GetBytes("{\"app_id\":\"x\",\"tcb_info\":" + System.Text.Json.JsonSerializer.Serialize(Encoding.UTF8.GetString(file)) + "}");
        Assert.True(DstackTcbInfo.TryParse(nested, out info, out fault), fault?.ToString());
        Assert.True(info.LogGivesRegisters);
        // With another register the log does not explain what it says.
        var at = file.AsSpan().IndexOf("\"rtmr1\": \""u8) + 10;
        file[at] = (byte)(file[at] == 'b' ? 'c' : 'b');
        Assert.True(DstackTcbInfo.TryParse(file, out info, out fault), fault?.ToString());
        Assert.False(info.LogGivesRegisters);
    }

    private static byte[] Report()
    {
        Assert.True(EvidenceFile.TryParse(File.ReadAllBytes(Path.Combine(Repository.Root, "vectors", "simulated", "ls10", "switch_evidence.json")), "file", out var devices, out _));
        return devices[0].Report.ToArray();
    }

    private static string Wrapped(string text, string end) => string.Join(end, text.Chunk(64).Select(line => new string(line)));

    [GeneratedRegex(@"^\| `([a-z0-9-]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Row();
}

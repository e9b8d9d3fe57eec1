using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Assay.Tests.Guest;

/// <summary>The recipe of docs/operations/disk-keys.md with cryptsetup itself, on a file, and a host that writes headers of its own.</summary>
public sealed class LuksTests
{
    // As cryptsetup writes it: without an escape.
    private static readonly JsonSerializerOptions s_plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The command of docs/operations/disk-keys.md, without the disk.</summary>
    internal const string Format = "cryptsetup luksFormat --type luks2 --batch-mode --cipher aes-xts-plain64 --key-size 512 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file -";

    [Fact]
    public async Task A_disk_opens_at_each_boot_of_its_image_and_at_no_other()
    {
        await using var guest = await DiskAsync();
        Assert.Equal("", Copy(guest, "first"));
        Assert.Equal(0, Open(guest, "first"));

        guest.Reboot();
        Assert.Equal(0, guest.World.Run("gate").ExitCode);
        Assert.Equal(0, Open(guest, "first"));

        guest.Reboot();
        SwtpmTransport.Extend(guest.Tpm.Port, 4, SHA256.HashData("kernel"u8), SHA384.HashData("kernel"u8));
        Assert.Equal(0, guest.World.Run("gate").ExitCode);
        // cryptsetup's own code for a key that opens nothing.
        Assert.Equal(2, Open(guest, "first"));
    }

    [Fact]
    public async Task A_header_in_which_nothing_is_encrypted_opens_without_us_and_is_refused_by_us()
    {
        await using var guest = await DiskAsync();
        var honest = File.ReadAllBytes(Disk(guest));

        // The data in the clear: our key opens it, and everything written is the host's to read.
        Rewrite(guest, honest, json => json["segments"]!["0"]!["encryption"] = "cipher_null-ecb");
        Assert.Equal(0, OpenAsItIs(guest));
        Assert.Contains("encryption is not aes-xts-plain64; found cipher_null-ecb", Copy(guest, "a"), StringComparison.Ordinal);

        // A slot in which the volume key is in the clear. Debian's cryptsetup refuses it too since a security update; others open it with any key.
        Rewrite(guest, honest, json => json["keyslots"]!["0"]!["area"]!["encryption"] = "cipher_null-ecb");
        Assert.Contains("encryption is not aes-xts-plain64; found cipher_null-ecb", Copy(guest, "b"), StringComparison.Ordinal);
        Assert.False(File.Exists(At(guest, "a")) || File.Exists(At(guest, "b")));
    }

    /// <summary>json-c, which cryptsetup reads with, ends a name at an escaped zero, and takes the later of two members: the slot's volume key is in the clear.</summary>
    [Fact]
    public async Task A_header_that_cryptsetup_reads_in_another_way_than_we_do_is_refused()
    {
        await using var guest = await DiskAsync();
        const string said = "\"encryption\":\"aes-xts-plain64\",\"key_size\"";

        Rewrite(guest, File.ReadAllBytes(Disk(guest)), _ => { }, json => json.Replace(said, said.Replace(",", ",\"encryption\\u0000\":\"cipher_null-ecb\",", StringComparison.Ordinal), StringComparison.Ordinal));

        Assert.Contains("cipher_null-ecb", Peer.Require("cryptsetup").Run("luksDump", Disk(guest)).Output, StringComparison.Ordinal);
        Assert.Contains("luks.header", Copy(guest, "refused"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Headers_that_differ_or_say_more_are_refused()
    {
        await using var guest = await DiskAsync();
        var honest = File.ReadAllBytes(Disk(guest));
        (string Why, Action<JsonObject> Edit)[] edits =
        [
            ("tokens", json => json["tokens"]!["0"] = new JsonObject { ["type"] = "systemd-tpm2", ["keyslots"] = new JsonArray("0") }),
            ("segments.0.integrity", json => json["segments"]!["0"]!["integrity"] = new JsonObject { ["type"] = "none", ["journal_encryption"] = "none", ["journal_integrity"] = "none" }),
            ("segments", json => json["segments"]!["1"] = json["segments"]!["0"]!.DeepClone()),
            ("config.flags", json => json["config"]!["flags"] = new JsonArray("allow-discards")),
            ("config.requirements", json => json["config"]!["requirements"] = new JsonObject { ["mandatory"] = new JsonArray("online-reencrypt") }),
            ("key_size is not 64", json => json["keyslots"]!["0"]!["area"]!["key_size"] = 32),
            ("outside the header", json => json["keyslots"]!["0"]!["area"]!["size"] = "999999999"),
            ("where they cannot", json => json["segments"]!["0"]!["offset"] = "32768"),
            ("not dynamic", json => json["segments"]!["0"]!["size"] = "4096"),
            ("no key slot", json => json["keyslots"] = new JsonObject()),
            ("not a number", json => json["segments"]!["0"]!["offset"] = "99999999999999999999"),
            ("key_size is not 64", json => json["keyslots"]!["0"]!["key_size"] = 1e99),
            ("keyslots.0.more", json => json["keyslots"]!["0"]!["more"] = 1),
            ("keyslots.0.area.more", json => json["keyslots"]!["0"]!["area"]!["more"] = 1),
            ("digests.0.more", json => json["digests"]!["0"]!["more"] = 1),
            ("digest", json => json["digests"]!["0"]!["segments"] = new JsonArray("1")),
        ];
        foreach (var (why, edit) in edits)
        {
            Rewrite(guest, honest, edit);
            Assert.Contains(why, Copy(guest, "refused"), StringComparison.Ordinal);
        }

        // The second header is the one that cryptsetup would take: its sequence is later.
        Rewrite(guest, honest, json => json["segments"]!["0"]!["encryption"] = "cipher_null-ecb", onlySecond: true);
        Assert.Equal(0, OpenAsItIs(guest));
        File.WriteAllBytes(Disk(guest), honest);
        Rewrite(guest, honest, json => json["segments"]!["0"]!["encryption"] = "cipher_null-ecb", onlySecond: true);
        Assert.Contains("the two headers differ", Copy(guest, "refused"), StringComparison.Ordinal);

        foreach (var cut in new[] { 0, 100, 4096, 20_000, 40_000, 1_000_000 })
        {
            File.WriteAllBytes(Disk(guest), honest[..cut]);
            Assert.Contains("luks.header", Copy(guest, "refused"), StringComparison.Ordinal);
        }

        Assert.False(File.Exists(At(guest, "refused")));
        Assert.Contains("luks.copy", guest.World.Run("luks-header", At(guest, "nothing"), At(guest, "refused")).Error, StringComparison.Ordinal);
    }

    private static string At(VtpmGuest guest, string name) => Path.Combine(guest.World.Folder, name);

    private static string Disk(VtpmGuest guest) => At(guest, "disk");

    private static async Task<VtpmGuest> DiskAsync()
    {
        Peer.Require("cryptsetup");
        var guest = await PersistentKeyTests.StartAsync();
        using (var file = File.Create(Disk(guest)))
        {
            file.SetLength(32 * 1024 * 1024);
        }

        Assert.Equal(0, guest.World.Run("gate").ExitCode);
        var answer = guest.World.Run(["persistent-key", "disk", "--exec", .. Format.Split(' '), Disk(guest)]);
        Assert.True(answer.ExitCode == 0, answer.Error);
        return guest;
    }

    private static string Copy(VtpmGuest guest, string name)
    {
        var answer = guest.World.Run("luks-header", Disk(guest), At(guest, name));
        Assert.Equal(answer.ExitCode == 0, File.Exists(At(guest, name)));
        return answer.Error;
    }

    private static int Open(VtpmGuest guest, string header) =>
        guest.World.Run("persistent-key", "disk", "--exec", "cryptsetup", "open", "--type", "luks2", "--header", At(guest, header), "--key-file", "-", "--test-passphrase", Disk(guest)).ExitCode;

    private static int OpenAsItIs(VtpmGuest guest) =>
        guest.World.Run("persistent-key", "disk", "--exec", "cryptsetup", "open", "--type", "luks2", "--key-file", "-", "--test-passphrase", Disk(guest)).ExitCode;

    private static JsonObject Json(ReadOnlySpan<byte> header) => JsonNode.Parse(header[4096..(4096 + header[4096..].IndexOf((byte)0))].ToArray())!.AsObject();

    // As the host can: the checksum has no key.
    private static void Rewrite(VtpmGuest guest, byte[] honest, Action<JsonObject> edit, bool onlySecond = false) => Rewrite(guest, honest, edit, text => text, onlySecond);

    private static void Rewrite(VtpmGuest guest, byte[] honest, Action<JsonObject> edit, Func<string, string> rewrite, bool onlySecond = false)
    {
        var disk = honest.ToArray();
        var size = (int)BinaryPrimitives.ReadUInt64BigEndian(disk.AsSpan(8));
        for (var number = onlySecond ? 1 : 0; number < 2; number++)
        {
            var header = disk.AsSpan(number * size, size);
            var json = Json(header);
            edit(json);
            header[4096..].Clear();
            Encoding.UTF8.GetBytes(rewrite(json.ToJsonString(s_plain))).CopyTo(header[4096..]);
            if (onlySecond)
            {
                BinaryPrimitives.WriteUInt64BigEndian(header[16..], BinaryPrimitives.ReadUInt64BigEndian(header[16..]) + 1);
            }

            header.Slice(448, 64).Clear();
            SHA256.HashData(header.ToArray()).CopyTo(header[448..]);
        }

        File.WriteAllBytes(Disk(guest), disk);
    }
}

using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;

namespace Assay.Guest.Secrets;

/// <summary>
/// Copies the header of a disk that the host holds (LUKS2 On-Disk Format 1.1.0, §2 and §3), if it is one of those that this program accepts. Nothing authenticates
/// a LUKS2 header: the host can write one in which a key slot or the data are "encrypted" with the null cipher, and which opens with every key. So what is
/// opened is the copy that was looked at (<c>cryptsetup --header</c>), and it states AES-XTS everywhere or is refused.
/// <code>
/// header    magic[6] ‖ version[2] = 2 ‖ size[8] ‖ sequence[8] ‖ label[48] ‖ hash[32] ‖ salt[64] ‖ uuid[40] ‖ subsystem[48] ‖ offset[8] ‖ zeros[184] ‖ checksum[64] ‖ zeros to 4096
///           ‖ JSON, zeros to size; big-endian. A second header of the same content follows at size, with another magic, salt, offset and checksum.
/// </code>
/// </summary>
internal static class LuksHeader
{
    private const int BinarySize = 4096;
    private const int SmallestHeader = 16 * 1024;
    private const int LargestHeader = 4 * 1024 * 1024;
    private const long LargestCopy = 128L * 1024 * 1024;
    private const int MostSlots = 8;
    private const int SequenceAt = 16;
    private const int OffsetAt = 256;
    private const int HashNameAt = 72;
    private const int HashNameSize = 32;
    private const int ChecksumAt = 448;
    private const string Cipher = "aes-xts-plain64";
    private const string Cure = "format the disk as docs/operations/disk-keys.md shows; if it was so formatted, somebody has changed it";

    /// <summary>Copies header and key slots of <paramref name="device"/> into a new file, in which both headers were looked at.</summary>
    /// <exception cref="GuestException"><c>luks.header</c>: it is not accepted; <c>luks.copy</c>: the device or the file cannot be used. There is no file then.</exception>
    public static void Copy(string device, string path)
    {
        try
        {
            using var source = new FileStream(device, new FileStreamOptions { Mode = FileMode.Open, Access = FileAccess.Read, Share = FileShare.ReadWrite, BufferSize = 0 });
            // Once: what is looked at is what is written.
            var content = Read(source);
            using var target = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
            try
            {
                target.Write(content);
            }
            catch
            {
                // Half of a header is not one that was looked at.
                File.Delete(path);
                throw;
            }
        }
        // The last is what .NET makes of a limit on the size of files.
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
        {
            throw new GuestException("luks.copy", exception.Message, "give a block device or file that can be read, and a path that does not exist, for instance below /run/assay");
        }
    }

    private static byte[] Read(FileStream source)
    {
        var head = new byte[BinarySize];
        Require(source.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) == head.Length, "the device is too small", null);
        RequireMagic(head, "LUKS"u8);
        var size = BinaryPrimitives.ReadUInt64BigEndian(head.AsSpan(8));
        Require(size is >= SmallestHeader and <= LargestHeader && ulong.IsPow2(size), "the header's size is not one that LUKS2 has", $"{size}");
        var headers = new byte[2 * (int)size];
        head.CopyTo(headers, 0);
        Require(Fill(source, headers, head.Length), "the device is too small", null);
        var first = headers.AsSpan(0, (int)size);
        var second = headers.AsSpan((int)size);
        RequireMagic(second, "SKUL"u8);
        RequireSound(first, 0);
        RequireSound(second, size);
        // cryptsetup takes the later of two: they must not differ.
        Require(first[BinarySize..].SequenceEqual(second[BinarySize..]) && first.Slice(SequenceAt, 8).SequenceEqual(second.Slice(SequenceAt, 8)), "the two headers differ", null, "run cryptsetup repair on a disk of your own making");
        var end = Judge(first[BinarySize..], 2 * (long)size);
        var content = new byte[end];
        headers.CopyTo(content, 0);
        Require(Fill(source, content, headers.Length), "the device ends before its data", null);
        return content;
    }

    private static bool Fill(FileStream source, byte[] buffer, int from) => source.ReadAtLeast(buffer.AsSpan(from), buffer.Length - from, throwOnEndOfStream: false) == buffer.Length - from;

    private static void RequireMagic(ReadOnlySpan<byte> header, ReadOnlySpan<byte> word) =>
        Require(header[..4].SequenceEqual(word) && header[4..8].SequenceEqual((ReadOnlySpan<byte>)[0xBA, 0xBE, 0, 2]), "it is not a LUKS2 header", Convert.ToHexStringLower(header[..8]));

    // The checksum is no protection: anyone can compute it. It is checked so that this program and cryptsetup read the same bytes.
    private static void RequireSound(ReadOnlySpan<byte> header, ulong offset)
    {
        Require(BinaryPrimitives.ReadUInt64BigEndian(header[8..]) == (ulong)header.Length && BinaryPrimitives.ReadUInt64BigEndian(header[OffsetAt..]) == offset, "a header states another size or place than it has", null);
        Require(header.Slice(HashNameAt, HashNameSize).TrimEnd((byte)0).SequenceEqual("sha256"u8), "the checksum is not of SHA-256", null);
        var bare = header.ToArray();
        bare.AsSpan(ChecksumAt, 64).Clear();
        Require(SHA256.HashData(bare).AsSpan().SequenceEqual(header.Slice(ChecksumAt, SHA256.HashSizeInBytes)), "a header's checksum is wrong", null, "run cryptsetup repair on a disk of your own making");
    }

    /// <returns>Where the data begin.</returns>
    private static long Judge(ReadOnlySpan<byte> json, long slotsFrom)
    {
        var end = json.IndexOf((byte)0);
        Require(end > 0 && !json[end..].ContainsAnyExcept((byte)0), "its JSON does not end in zeros", null);
        // cryptsetup writes none. Its parser ends a name at an escaped zero, and so reads members that are others here.
        Require(!json[..end].Contains((byte)'\\'), "its JSON has an escape", null);
        try
        {
            using var document = JsonDocument.Parse(json[..end].ToArray(), new JsonDocumentOptions { MaxDepth = 8, AllowDuplicateProperties = false });
            var root = document.RootElement;
            Members(root, "", "keyslots", "tokens", "segments", "digests", "config");
            Require(!root.GetProperty("tokens").EnumerateObject().Any(), "it has tokens, which say where else keys come from", root.GetProperty("tokens").GetRawText());
            var config = root.GetProperty("config");
            Members(config, "config.", "json_size", "keyslots_size");
            var segment = Only(root.GetProperty("segments"), "segments");
            Members(segment, "segments.0.", "type", "offset", "size", "iv_tweak", "encryption", "sector_size");
            Word(segment, "type", "crypt");
            Word(segment, "size", "dynamic");
            Word(segment, "iv_tweak", "0");
            Word(segment, "encryption", Cipher);
            var data = Number(segment, "offset");
            Require(data > slotsFrom && data <= LargestCopy && data % BinarySize == 0, "the data begin where they cannot", $"{data}");
            JudgeSlots(root.GetProperty("keyslots"), slotsFrom, data);
            var digest = Only(root.GetProperty("digests"), "digests");
            Members(digest, "digests.0.", "type", "keyslots", "segments", "hash", "iterations", "salt", "digest");
            Word(digest, "type", "pbkdf2");
            Require(digest.GetProperty("segments") is var bound && bound.GetArrayLength() == 1 && bound[0].GetString() == "0", "the digest is not of the one segment", bound.GetRawText());
            return data;
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw Refused($"its JSON is not as it must be: {exception.Message}", null, Cure);
        }
    }

    private static void JudgeSlots(JsonElement slots, long from, long to)
    {
        var count = 0;
        foreach (var (path, slot) in slots.EnumerateObject().Select(member => ($"keyslots.{member.Name}.", member.Value)))
        {
            Require(++count <= MostSlots, "it has too many key slots", $"{count}");
            Members(slot, path, "type", "key_size", "af", "area", "kdf", "priority");
            Members(slot.GetProperty("af"), $"{path}af.", "type", "stripes", "hash");
            Members(slot.GetProperty("kdf"), $"{path}kdf.", "type", "hash", "iterations", "time", "memory", "cpus", "salt");
            var area = slot.GetProperty("area");
            Members(area, $"{path}area.", "type", "offset", "size", "encryption", "key_size");
            Word(slot, "type", "luks2");
            Word(area, "type", "raw");
            Word(area, "encryption", Cipher);
            KeySize(slot);
            KeySize(area);
            var (offset, size) = (Number(area, "offset"), Number(area, "size"));
            Require(offset >= from && size > 0 && offset <= to - size, "a key slot lies outside the header", $"{offset}");
        }

        Require(count > 0, "it has no key slot", null);
    }

    private static JsonElement Only(JsonElement set, string name)
    {
        var members = set.EnumerateObject().ToArray();
        Require(members is [{ Name: "0" }], $"{name} must have one entry, named 0", set.GetRawText());
        return members[0].Value;
    }

    private static void Members(JsonElement element, string path, params ReadOnlySpan<string> known)
    {
        foreach (var member in element.EnumerateObject())
        {
            Require(known.Contains(member.Name), $"{path}{member.Name} is not accepted", member.Value.GetRawText());
        }
    }

    private static void Word(JsonElement element, string name, string expected) => Require(element.GetProperty(name).GetString() == expected, $"{name} is not {expected}", element.GetProperty(name).GetString());

    // Of AES-256-XTS, in bytes.
    private static void KeySize(JsonElement element) => Require(element.GetProperty("key_size") is var size && size.GetRawText() == "64", "key_size is not 64", size.GetRawText());

    // LUKS2 writes numbers of 64 bits as texts.
    private static long Number(JsonElement element, string name)
    {
        var text = element.GetProperty(name).GetString();
        Require(long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number), $"{name} is not a number", text);
        return number;
    }

    private static void Require(bool holds, string problem, string? found, string cure = Cure)
    {
        if (!holds)
        {
            throw Refused(problem, found, cure);
        }
    }

    private static GuestException Refused(string problem, string? found, string cure) => new("luks.header", $"the LUKS header is not accepted: {problem}", cure, found is { Length: > 200 } ? found[..200] : found);
}

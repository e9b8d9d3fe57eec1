using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Assay.Wire;

namespace Assay.Evidence.EventLogs;

/// <summary>
/// What the digest of a runtime event is over. V2 is the canonical JSON <c>{"name":…,"payload":hex,"type":134217729}</c>; V1 is the
/// type (32 bits, little-endian), a colon, the name in UTF-8, a colon, the payload.
/// </summary>
internal static class RuntimeEventDigest
{
    private const byte Colon = (byte)':';

    /// <summary>
    /// Why no event may have this name; null when it may. A colon in a V1 name would let whoever shows the log move the border between
    /// name and payload without changing the digest.
    /// </summary>
    public static string? WhyNotName(string name, RuntimeEventVersion version) =>
        name.Length is 0 or > Limits.EventNameCharacters ? $"1 to {Limits.EventNameCharacters} characters are expected"
        : version is RuntimeEventVersion.V1 && name.Contains(':', StringComparison.Ordinal) ? "a colon in a V1 name leaves open where it ends"
        : null;

    public static byte[] Preimage(string name, ReadOnlySpan<byte> payload, RuntimeEventVersion version) => version switch
    {
        RuntimeEventVersion.V1 => V1(name, payload),
        RuntimeEventVersion.V2 => V2(name, payload),
        _ => throw new ArgumentOutOfRangeException(nameof(version)),
    };

    private static byte[] V1(string name, ReadOnlySpan<byte> payload)
    {
        var text = Encoding.UTF8.GetByteCount(name);
        var preimage = new byte[sizeof(uint) + 1 + text + 1 + payload.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(preimage, BootEventType.Runtime);
        preimage[sizeof(uint)] = Colon;
        Encoding.UTF8.GetBytes(name, preimage.AsSpan(sizeof(uint) + 1));
        preimage[sizeof(uint) + 1 + text] = Colon;
        payload.CopyTo(preimage.AsSpan(^payload.Length..));
        return preimage;
    }

    private static byte[] V2(string name, ReadOnlySpan<byte> payload)
    {
        var text = new StringBuilder("{\"name\":");
        CanonicalJson.WriteString(name, text);
        text.Append(",\"payload\":\"").Append(Convert.ToHexStringLower(payload));
        text.Append(CultureInfo.InvariantCulture, $"\",\"type\":{BootEventType.Runtime}}}");
        return Encoding.UTF8.GetBytes(text.ToString());
    }
}

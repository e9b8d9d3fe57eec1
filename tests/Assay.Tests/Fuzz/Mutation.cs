using System.Collections.Immutable;
using System.Text;

namespace Assay.Tests.Fuzz;

/// <summary>Spoils seeds the way that formats break: lengths, repeats, truncation, tokens, splices.</summary>
internal static class Mutation
{
    private static readonly byte[] s_awkward = [0x00, 0x01, 0x02, 0x0A, 0x0D, 0x1F, 0x20, 0x22, 0x24, 0x2D, 0x30, 0x3C, 0x3D, 0x3E, 0x55, 0x5C, 0x7F, 0x80, 0x81, 0x82, 0x83, 0x84, 0xA0, 0xAA, 0xC0, 0xFE, 0xFF];

    private static readonly byte[][] s_tokens =
    [
        .. new[]
        {
            "\\ud800", "\\u0000", "\"", "{", "}", "[", "]", "null", "true", "-1", "1e999", "9223372036854775808", "NVDAOD", "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n",
            "<!DOCTYPE x>", "<![CDATA[", "&#x0;", "&amp;", "<!--", "xmlns=\"\"", "</", "/>", "==", "0x",
        }.Select(Encoding.UTF8.GetBytes),
        [0x30, 0x80], [0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF], [0x02, 0x00], [0x05, 0x00], [0xED, 0xA0, 0x80], [0xEF, 0xBB, 0xBF], [0x11, 0xE0],
    ];

    public static byte[] Of(ImmutableArray<byte[]> seeds, Seeded chance, int largest)
    {
        var input = seeds[chance.Below(seeds.Length)];
        // One case in thirty-two is nothing but chance.
        if (chance.Below(32) == 0)
        {
            return chance.Bytes(chance.Below(512));
        }

        for (var times = 1 + chance.Below(4); times > 0; times--)
        {
            input = Once(input, seeds, chance);
        }

        return input.Length > largest ? input[..largest] : input;
    }

    private static byte[] Once(byte[] input, ImmutableArray<byte[]> seeds, Seeded chance)
    {
        var at = chance.Below(input.Length + 1);
        var count = Math.Min(1 + chance.Below(chance.Below(8) == 0 ? 4096 : 16), input.Length - at);
        switch (chance.Below(10))
        {
            case 0 or 1: return Set(input, at, value => (byte)(value ^ 1 << chance.Below(8)));
            case 2: return Set(input, at, _ => s_awkward[chance.Below(s_awkward.Length)]);
            case 3: return Set(input, at, value => unchecked((byte)(value + chance.Below(9) - 4)));
            case 4: return input[..at];
            case 5: return [.. input[..at], .. input[(at + count)..]];
            case 6: return [.. input[..at], .. chance.Bytes(chance.Below(16)), .. input[at..]];
            case 7: return [.. input[..(at + count)], .. input[at..]];
            case 8: return [.. input[..at], .. s_tokens[chance.Below(s_tokens.Length)], .. input[at..]];
            default:
                var other = seeds[chance.Below(seeds.Length)];
                return [.. input[..at], .. other[chance.Below(other.Length + 1)..]];
        }
    }

    private static byte[] Set(byte[] input, int at, Func<byte, byte> change)
    {
        var changed = (byte[])input.Clone();
        if (at < changed.Length)
        {
            changed[at] = change(changed[at]);
        }

        return changed;
    }
}

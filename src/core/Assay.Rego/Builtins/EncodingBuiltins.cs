using System.Diagnostics.CodeAnalysis;
using System.Text;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>Base64, hexadecimal and URL query encoding. They act on UTF-8 bytes.</summary>
internal static class EncodingBuiltins
{
    public static readonly Builtin[] All =
    [
        Encoder("base64.encode", bytes => Base64Text.Encode(bytes), 4),
        Encoder("base64url.encode", bytes => Base64Text.EncodeUrl(bytes, padded: true), 4),
        Encoder("base64url.encode_no_pad", bytes => Base64Text.EncodeUrl(bytes, padded: false), 4),
        Encoder("hex.encode", Convert.ToHexStringLower, 4),
        Encoder("urlquery.encode", QueryEscape, 6),
        new("base64.decode", [RegoTypes.String], RegoTypes.String, (context, arguments) => Decode(context, arguments, Base64Text.TryDecode)),
        new("base64url.decode", [RegoTypes.String], RegoTypes.String, (context, arguments) => Decode(context, arguments, Base64Text.TryDecodeUrl)),
        new("base64.is_valid", [RegoTypes.Any], RegoTypes.Boolean, IsBase64),
        new("hex.decode", [RegoTypes.String], RegoTypes.String, (context, arguments) => Decode(context, arguments, TryDecodeHex)),
        new("urlquery.decode", [RegoTypes.String], RegoTypes.String, (context, arguments) => Decode(context, arguments, TryQueryUnescape)),
        new("urlquery.encode_object", [RegoTypes.Object], RegoTypes.String, EncodeObject),
        new("urlquery.decode_object", [RegoTypes.String], RegoTypes.Object, DecodeObject),
    ];

    private delegate bool Decoder(string text, [NotNullWhen(true)] out byte[]? bytes, [NotNullWhen(false)] out string? fault);

    private delegate string EncodeBytes(ReadOnlySpan<byte> bytes);

    private static Builtin Encoder(string name, EncodeBytes encode, int growth) =>
        new(name, [RegoTypes.String], RegoTypes.String, (context, arguments) =>
        {
            if (!context.TryString(arguments, 0, out var text))
            {
                return null;
            }

            context.Tick(1 + (text.Value.Length / 64));
            context.Charge(48 + ((long)growth * text.Value.Length));
            return new RegoString(encode(text.ToUtf8()));
        });

    private static RegoValue? Decode(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, Decoder decoder)
    {
        if (!context.TryString(arguments, 0, out var text))
        {
            return null;
        }

        context.Tick(1 + (text.Value.Length / 64));
        context.Charge(48 + (2L * text.Value.Length));
        return decoder(text.Value, out var bytes, out var fault) ? RegoString.FromUtf8(bytes) : context.Fail(fault);
    }

    private static RegoValue? IsBase64(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (arguments[0] is not RegoString text)
        {
            return RegoBoolean.False;
        }

        context.Tick(1 + (text.Value.Length / 64));
        context.Charge(2L * text.Value.Length);
        return RegoBoolean.Of(Base64Text.TryDecode(text.Value, out _, out _));
    }

    private static bool TryDecodeHex(string text, [NotNullWhen(true)] out byte[]? bytes, [NotNullWhen(false)] out string? fault)
    {
        (bytes, fault) = (null, null);
        var wrong = text.AsSpan().IndexOfAnyExcept(s_hexadecimal);
        if (wrong >= 0)
        {
            fault = $"encoding/hex: invalid byte: U+{(int)text[wrong]:X4} {(char.IsControl(text[wrong]) ? "" : $"'{text[wrong]}'")}".TrimEnd();
            return false;
        }

        if (text.Length % 2 != 0)
        {
            fault = "encoding/hex: odd length hex string";
            return false;
        }

        bytes = Convert.FromHexString(text);
        return true;
    }

    private static readonly System.Buffers.SearchValues<char> s_hexadecimal = System.Buffers.SearchValues.Create("0123456789abcdefABCDEF");

    private static string QueryEscape(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length);
        foreach (var octet in bytes)
        {
            var c = (char)octet;
            if (char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '~')
            {
                text.Append(c);
            }
            else if (c == ' ')
            {
                text.Append('+');
            }
            else
            {
                text.Append('%').Append(octet.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
            }
        }

        return text.ToString();
    }

    private static bool TryQueryUnescape(string text, [NotNullWhen(true)] out byte[]? bytes, [NotNullWhen(false)] out string? fault)
    {
        var source = new RegoString(text).ToUtf8();
        var plain = new List<byte>(source.Length);
        for (var at = 0; at < source.Length; at++)
        {
            if (source[at] != '%')
            {
                plain.Add(source[at] == '+' ? (byte)' ' : source[at]);
                continue;
            }

            if (at + 2 >= source.Length || !char.IsAsciiHexDigit((char)source[at + 1]) || !char.IsAsciiHexDigit((char)source[at + 2]))
            {
                var shown = Encoding.UTF8.GetString(source.AsSpan(at, Math.Min(3, source.Length - at)));
                (bytes, fault) = (null, $"invalid URL escape {Formatting.GoQuote.Quote(shown)}");
                return false;
            }

            plain.Add(Convert.ToByte(Encoding.ASCII.GetString(source, at + 1, 2), 16));
            at += 2;
        }

        (bytes, fault) = ([.. plain], null);
        return true;
    }

    private static RegoValue? EncodeObject(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryObject(arguments, 0, out var members))
        {
            return null;
        }

        var pairs = new List<string>();
        foreach (var (key, value) in members)
        {
            if (key is not RegoString name)
            {
                return context.FailOperand(1, "keys must be string");
            }

            IEnumerable<RegoValue> values = value switch { RegoString one => [one], RegoArray array => array, RegoSet set => set, _ => [RegoNull.Value] };
            foreach (var item in values)
            {
                if (item is not RegoString text)
                {
                    return context.FailOperand(1, "values must be string, array[string], or set[string]");
                }

                context.Tick();
                context.Charge(6L * (name.Value.Length + text.Value.Length + 8));
                pairs.Add(QueryEscape(name.ToUtf8()) + "=" + QueryEscape(text.ToUtf8()));
            }
        }

        return Operands.Text(context, string.Join('&', pairs));
    }

    private static RegoValue? DecodeObject(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var query))
        {
            return null;
        }

        if (query.Value.Contains(';', StringComparison.Ordinal))
        {
            return context.Fail("invalid semicolon separator in query");
        }

        var found = new Dictionary<RegoValue, List<RegoValue>>();
        foreach (var pair in query.Value.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            context.Tick();
            context.Charge(160 + (4L * pair.Length));
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (!TryQueryUnescape(equals < 0 ? pair : pair[..equals], out var key, out var fault)
                || !TryQueryUnescape(equals < 0 ? "" : pair[(equals + 1)..], out var value, out fault))
            {
                return context.Fail(fault);
            }

            var name = RegoString.FromUtf8(key);
            if (!found.TryGetValue(name, out var values))
            {
                found[name] = values = [];
            }

            values.Add(RegoString.FromUtf8(value));
        }

        return RegoObject.From(found.Select(pair => new KeyValuePair<RegoValue, RegoValue>(pair.Key, RegoArray.From(pair.Value))));
    }
}

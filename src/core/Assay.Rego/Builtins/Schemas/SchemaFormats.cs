using System.Net;
using System.Net.Sockets;
using Assay.Rego.Builtins.Patterns;
using Assay.Rego.Builtins.Times;

namespace Assay.Rego.Builtins.Schemas;

/// <summary>The formats that JSON Schema names. An unknown one holds for every text.</summary>
internal static class SchemaFormats
{
    private const int MaxHostName = 253;

    public static bool Holds(string format, string text) => format switch
    {
        "date" => IsTime("2006-01-02", text),
        "time" => IsTime("15:04:05", text) || IsTime("15:04:05Z07:00", text),
        "date-time" => IsTime("2006-01-02T15:04:05Z07:00", text) || IsTime("15:04:05Z07:00", text) || IsTime("2006-01-02", text) || IsTime("15:04:05", text),
        "hostname" or "idn-hostname" => IsHostName(text),
        "email" or "idn-email" => IsEmail(text),
        "ipv4" => Cidr.TryParseAddress(text, out _, out var bits) && bits == 32 && text.Contains('.', StringComparison.Ordinal),
        "ipv6" => text.Contains(':', StringComparison.Ordinal) && IPAddress.TryParse(text, out var address) && address.AddressFamily is AddressFamily.InterNetworkV6,
        "uri" or "iri" => IsUri(text) && text.Contains(':', StringComparison.Ordinal) && Uri.TryCreate(text, UriKind.Absolute, out _),
        "uri-reference" or "iri-reference" => IsUri(text) && Uri.TryCreate(text, UriKind.RelativeOrAbsolute, out _),
        "uri-template" => IsUri(text) && HasPairedBraces(text),
        "uuid" => text.Length == 36 && Guid.TryParseExact(text, "D", out _),
        "regex" => text.Length > 0 && RegularExpression.TryCompile(text, out _, out _),
        "json-pointer" => IsPointer(text),
        "relative-json-pointer" => IsRelativePointer(text),
        _ => true,
    };

    private static bool IsTime(string layout, string text) => text.Length <= 64 && TimeParser.TryParse(layout, text, out _, out var fault) | fault == "time outside of valid range";

    private static bool IsHostName(string text) =>
        text.Length is > 0 and <= MaxHostName && text.Split('.').All(label =>
            label.Length is > 0 and <= 63 && label[0] != '-' && label[^1] != '-' && label.All(c => char.IsAsciiLetterOrDigit(c) || c == '-' || c >= 0x80));

    private static bool IsEmail(string text)
    {
        var at = text.LastIndexOf('@');
        return at > 0 && at < text.Length - 1 && !text.AsSpan().ContainsAny(" \t\r\n") && !text[..at].Contains('@', StringComparison.Ordinal);
    }

    private static bool IsUri(string text) => !text.AsSpan().ContainsAny("\\ ");

    private static bool HasPairedBraces(string text)
    {
        var depth = 0;
        foreach (var c in text)
        {
            depth += c == '{' ? 1 : c == '}' ? -1 : 0;
            if (depth is < 0 or > 1)
            {
                return false;
            }
        }

        return depth == 0;
    }

    private static bool IsPointer(string text)
    {
        if (text.Length > 0 && text[0] != '/')
        {
            return false;
        }

        for (var at = text.IndexOf('~', StringComparison.Ordinal); at >= 0; at = text.IndexOf('~', at + 1))
        {
            if (at + 1 >= text.Length || text[at + 1] is not ('0' or '1'))
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsRelativePointer(string text)
    {
        var digits = text.TakeWhile(char.IsAsciiDigit).Count();
        return digits > 0 && (digits == 1 || text[0] != '0') && (text[digits..] == "#" || IsPointer(text[digits..]));
    }
}

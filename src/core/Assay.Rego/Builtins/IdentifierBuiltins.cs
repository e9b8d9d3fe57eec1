using System.Globalization;
using System.Numerics;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>Version numbers (semver.org 2.0.0) and UUIDs (RFC 4122).</summary>
internal static class IdentifierBuiltins
{
    private const int MaxVersion = 512;

    // 100 ns steps between 1582-10-15, where UUID time begins, and 1970.
    private const long UuidEpochSteps = 0x01B21DD213814000;

    public static readonly Builtin[] All =
    [
        new("semver.is_valid", [RegoTypes.Any], RegoTypes.Boolean, (_, arguments) => RegoBoolean.Of(arguments[0] is RegoString text && Version.TryParse(text.Value, out var _))),
        new("semver.compare", [RegoTypes.String, RegoTypes.String], RegoTypes.Number, Compare),
        new("uuid.rfc4122", [RegoTypes.String], RegoTypes.String, RandomUuid) { Nondeterministic = true },
        new("uuid.parse", [RegoTypes.String], RegoTypes.Object, ParseUuid),
    ];

    private static RegoValue? Compare(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!TryVersion(context, arguments, 0, out var left) || !TryVersion(context, arguments, 1, out var right))
        {
            return null;
        }

        return RegoNumber.Of(left.CompareTo(right));
    }

    private static bool TryVersion(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, int index, out Version version)
    {
        version = default;
        if (!context.TryString(arguments, index, out var text))
        {
            return false;
        }

        if (Version.TryParse(text.Value, out version))
        {
            return true;
        }

        context.Fail($"operand {index + 1}: string {text} is not a valid SemVer");
        return false;
    }

    private static RegoValue? RandomUuid(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var name))
        {
            return null;
        }

        var key = ("uuid.rfc4122", name.Value);
        if (context.QueryCache.TryGetValue(key, out var known))
        {
            return (RegoValue)known;
        }

        if (context.Environment.Random is not { } fill)
        {
            return context.Fail("no source of randomness was given to this evaluation");
        }

        var bytes = new byte[16];
        fill(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        var made = new RegoString(new Guid(bytes, bigEndian: true).ToString("D"));
        context.QueryCache[key] = made;
        return made;
    }

    private static RegoValue? ParseUuid(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var text))
        {
            return null;
        }

        // What is no UUID has no parts: undefined, as in OPA.
        if (!TryBytes(text.Value, out var bytes))
        {
            return null;
        }

        context.Charge(512);
        var version = bytes[6] >> 4;
        var parts = new RegoObjectBuilder();
        parts[new RegoString("version")] = RegoNumber.Of(version);
        parts[new RegoString("variant")] = new RegoString((bytes[8] >> 5) switch { 4 or 5 => "RFC4122", 6 => "Microsoft", 7 => "Future", _ => "Reserved" });
        if (version is 1 or 2)
        {
            AddTime(parts, bytes);
        }

        if (version == 2)
        {
            parts[new RegoString("id")] = RegoNumber.Of(System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(bytes));
            parts[new RegoString("domain")] = new RegoString(bytes[9] switch { 0 => "Person", 1 => "Group", 2 => "Org", var other => "Domain" + other.ToString(CultureInfo.InvariantCulture) });
        }

        return parts.Build();
    }

    private static void AddTime(RegoObjectBuilder parts, byte[] bytes)
    {
        var low = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(bytes);
        var middle = System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(4));
        var high = System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(6)) & 0x0FFF;
        var steps = ((long)high << 48) | ((long)middle << 32) | low;
        parts[new RegoString("time")] = RegoNumber.Of((BigInteger)(steps - UuidEpochSteps) * 100);
        parts[new RegoString("clocksequence")] = RegoNumber.Of(((bytes[8] & 0x3F) << 8) | bytes[9]);
        parts[new RegoString("nodeid")] = new RegoString(string.Join('-', bytes[10..].Select(part => part.ToString("x2", CultureInfo.InvariantCulture))));
        var scope = (bytes[10] & 2) != 0 ? "local" : "global";
        parts[new RegoString("macvariables")] = new RegoString($"{scope}:{((bytes[10] & 1) != 0 ? "multicast" : "unicast")}");
    }

    /// <summary>Reads the plain form, <c>urn:uuid:…</c>, <c>{…}</c>, or 32 hexadecimal digits.</summary>
    private static bool TryBytes(string text, out byte[] bytes)
    {
        var digits = text.Length switch
        {
            36 => text,
            45 when text.StartsWith("urn:uuid:", StringComparison.OrdinalIgnoreCase) => text[9..],
            38 when text[0] == '{' && text[^1] == '}' => text[1..^1],
            32 => text,
            _ => "",
        };
        bytes = [];
        if (digits.Length == 36 && !(digits[8] == '-' && digits[13] == '-' && digits[18] == '-' && digits[23] == '-'))
        {
            return false;
        }

        var plain = digits.Length == 36 ? digits.Replace("-", "", StringComparison.Ordinal) : digits;
        if (plain.Length != 32 || !plain.All(char.IsAsciiHexDigit))
        {
            return false;
        }

        bytes = Convert.FromHexString(plain);
        return true;
    }

    /// <summary>Three numbers, then identifiers that come before the release; build metadata does not order.</summary>
    private readonly record struct Version(BigInteger Major, BigInteger Minor, BigInteger Patch, string[] Before) : IComparable<Version>
    {
        public static bool TryParse(string text, out Version version)
        {
            version = default;
            var plus = text.IndexOf('+', StringComparison.Ordinal);
            var core = plus < 0 ? text : text[..plus];
            var dash = core.IndexOf('-', StringComparison.Ordinal);
            var numbers = (dash < 0 ? core : core[..dash]).Split('.');
            var before = dash < 0 ? [] : core[(dash + 1)..].Split('.');
            if (text.Length > MaxVersion || numbers.Length != 3 || !Array.TrueForAll(numbers, IsNumber)
                || !Array.TrueForAll(before, part => IsIdentifier(part) && (!part.All(char.IsAsciiDigit) || IsNumber(part)))
                || (plus >= 0 && !Array.TrueForAll(text[(plus + 1)..].Split('.'), IsIdentifier)))
            {
                return false;
            }

            version = new Version(Number(numbers[0]), Number(numbers[1]), Number(numbers[2]), before);
            return true;
        }

        public int CompareTo(Version other)
        {
            var order = Major.CompareTo(other.Major);
            order = order != 0 ? order : Minor.CompareTo(other.Minor);
            order = order != 0 ? order : Patch.CompareTo(other.Patch);
            return Math.Sign(order != 0 ? order : CompareBefore(Before, other.Before));
        }

        private static int CompareBefore(string[] left, string[] right)
        {
            if (left.Length == 0 || right.Length == 0)
            {
                return right.Length.CompareTo(left.Length);
            }

            for (var index = 0; index < Math.Min(left.Length, right.Length); index++)
            {
                var order = CompareIdentifiers(left[index], right[index]);
                if (order != 0)
                {
                    return order;
                }
            }

            return left.Length.CompareTo(right.Length);
        }

        private static int CompareIdentifiers(string left, string right) => (left.All(char.IsAsciiDigit), right.All(char.IsAsciiDigit)) switch
        {
            (true, true) => Number(left).CompareTo(Number(right)),
            (true, false) => -1,
            (false, true) => 1,
            _ => string.CompareOrdinal(left, right),
        };

        private static bool IsNumber(string text) => text.Length > 0 && text.All(char.IsAsciiDigit) && (text.Length == 1 || text[0] != '0');

        private static bool IsIdentifier(string text) => text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || c == '-');

        private static BigInteger Number(string text) => BigInteger.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
    }
}

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Assay.Policy;
using Assay.Wire;

namespace Assay.Service.Judging;

/// <summary>A value, of a policy or of a machine, read by the type of its key.</summary>
/// <param name="Text">As it is written.</param>
/// <param name="Numbers">What is compared: one number, the parts of a version, an instant.</param>
internal sealed record ConditionValue(string Text, ImmutableArray<long> Numbers) : IComparable<ConditionValue>
{
    public const int MostCharacters = 256;
    private const int MostParts = 8;
    private const int MostDigits = 9;

    public static bool TryRead(string text, ConditionKeyType type, [NotNullWhen(true)] out ConditionValue? value)
    {
        ImmutableArray<long>? numbers = text.Length is 0 or > MostCharacters || !text.All(c => c is >= ' ' and <= '~') ? null : type switch
        {
            ConditionKeyType.Text => [],
            ConditionKeyType.Number => IsDigits(text, 18) && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? [number] : null,
            ConditionKeyType.Version => Parts(text, NumberStyles.None),
            ConditionKeyType.HexVersion => Parts(text, NumberStyles.AllowHexSpecifier),
            ConditionKeyType.Date => Utc.TryParse(text, out var instant) ? [instant.UtcTicks] : null,
            ConditionKeyType.Bool => text is "true" or "false" ? [] : null,
            _ => null,
        };
        value = numbers is { } read ? new ConditionValue(text, read) : null;
        return value is not null;
    }

    public static string Expected(ConditionKeyType type) => type switch
    {
        ConditionKeyType.Number => "a whole number from 0, without a sign or leading zeros",
        ConditionKeyType.Version => "decimal numbers with dots, as in 550.90.07",
        ConditionKeyType.HexVersion => "hexadecimal numbers with dots, as in 96.00.9F.00.01",
        ConditionKeyType.Date => "an instant as in 2026-12-05T00:00:00Z",
        ConditionKeyType.Bool => "true or false",
        _ => $"1 to {MostCharacters} printable ASCII characters",
    };

    // 9 is less than 10, and 550.90 is 550.90.0.
    public int CompareTo(ConditionValue? other)
    {
        var (mine, theirs) = (Numbers, other?.Numbers ?? []);
        for (var index = 0; index < Math.Max(mine.Length, theirs.Length); index++)
        {
            var order = (index < mine.Length ? mine[index] : 0).CompareTo(index < theirs.Length ? theirs[index] : 0);
            if (order != 0)
            {
                return order;
            }
        }

        return 0;
    }

    private static ImmutableArray<long>? Parts(string text, NumberStyles style)
    {
        var parts = text.Split('.');
        var numbers = ImmutableArray.CreateBuilder<long>(parts.Length);
        foreach (var part in parts)
        {
            if (part.Length is 0 or > MostDigits || !part.All(c => style is NumberStyles.None ? char.IsAsciiDigit(c) : char.IsAsciiHexDigit(c)))
            {
                return null;
            }

            numbers.Add(long.Parse(part, style, CultureInfo.InvariantCulture));
        }

        return parts.Length <= MostParts ? numbers.ToImmutable() : null;
    }

    private static bool IsDigits(string text, int most) => text.Length <= most && text.All(char.IsAsciiDigit) && (text.Length == 1 || text[0] != '0');
}

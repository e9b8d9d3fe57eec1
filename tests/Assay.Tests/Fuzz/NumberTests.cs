using System.Text;
using System.Text.RegularExpressions;
using Assay.Collateral.Items;
using Assay.Collateral.Staging;

namespace Assay.Tests.Fuzz;

/// <summary>
/// Every reader of JSON against numbers that fit no type, in the place of each number that it takes and of texts besides: it reads them or
/// names a fault, and never throws.
/// </summary>
public sealed partial class NumberTests
{
    private const int MostPlaces = 60;

    private static readonly string[] s_numbers =
    [
        "-0", "-0.0", "0e0", "0.1e1", "1e0", "1.0", "-1", "1e400", "-1e400", "1e-400", "1E+99999999999", "1e-99999999999", "0e99999999999", "1e2147483648", "-1e-2147483649",
        "2147483648", "-2147483649", "4294967296", "9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551616",
        "253402300799", "253402300800", "-62135596801", "79228162514264337593543950336", $"0.{new string('0', 400)}1", new string('9', 400),
    ];

    /// <summary>The library's readers of JSON, found by their seeds, and those of a cache's own files.</summary>
    public static TheoryData<string> Names => [.. Readers().Select(reader => reader.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_reader_survives_numbers_that_fit_no_type(string name)
    {
        var target = Readers().Single(reader => reader.Name == name);
        var asked = 0;
        foreach (var seed in target.Seeds.Select(Encoding.Latin1.GetString))
        {
            foreach (var place in Place().Matches(seed).Take(MostPlaces))
            {
                foreach (var number in s_numbers)
                {
                    var input = string.Concat(seed.AsSpan(0, place.Index), number, seed.AsSpan(place.Index + place.Length));
                    try
                    {
                        target.Ask(Encoding.Latin1.GetBytes(input));
                        asked++;
                    }
                    catch (Exception exception)
                    {
                        throw new InvalidOperationException($"{name} throws where {place.Value} is {number}", exception);
                    }
                }
            }
        }

        Assert.True(asked >= s_numbers.Length, $"{name}: no place for a number");
    }

    [Fact]
    public void The_readers_of_JSON_are_among_them() => Assert.Empty(((string[])
    [
        "JsonPolicy.TryParse", "BundleManifest.TryParse", "ReferenceManifest.TryParse", "TcbInfo.TryParse", "QeIdentity.TryParse", "TdxCollateral.TryParse", "TrustSet.TryParse",
        "EvidenceFile.TryParse", "JsonWebKeySet.TryParse", "StrictJson.Read", "ItemHeader.TryParse", "RimPool.TryParse",
    ]).Except(Readers().Select(reader => reader.Name)));

    private static IEnumerable<FuzzTarget> Readers() => FuzzTargets.All.Where(target => target.Seeds.Any(IsJson)).Concat(
    [
        new("ItemHeader.TryParse", [Header], input => ItemHeader.TryParse(input, out _, out var fault) ? new(true, false, "") : new(false, fault is not null, "")),
        new("RimPool.TryParse", [Pool], input => RimPool.TryParse(input, out _, out var fault) ? new(true, false, "") : new(false, fault is not null, "")),
    ]);

    private static byte[] Header =>
        """{"assayCollateral":1,"kind":"rim","id":"A","sha256":"00","chain":0,"body":3,"source":"s","validUntil":"2026-11-22T00:00:00.0000000Z","signersUntil":"2026-11-22T00:00:00.0000000Z","fetched":"2026-11-22T00:00:00.0000000Z","refresh":"2026-11-22T00:00:00.0000000Z","fresh":"2026-11-22T00:00:00.0000000Z","servable":"2026-11-22T00:00:00.0000000Z"}"""u8.ToArray();

    private static byte[] Pool => """{"assayPool":1,"name":"a","sets":[{"name":"s","staged":"2026-11-22T00:00:00Z","rims":["x"],"lifted":[]}],"denied":[]}"""u8.ToArray();

    private static bool IsJson(byte[] seed) => seed is [(byte)'{' or (byte)'[', ..] && Place().IsMatch(Encoding.Latin1.GetString(seed));

    // A value of a member or of an array: a number, a word, or a text.
    [GeneratedRegex("""(?<=[:\[,]\s*)(-?[0-9][0-9.eE+-]*|true|false|null|"[^"\\]*")(?=\s*[,\]}])""")]
    private static partial Regex Place();
}

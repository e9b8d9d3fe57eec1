using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Assay.Endorsements;
using Assay.Evidence.Snp;

namespace Assay.Collateral.Upstreams;

/// <summary>The addresses of AMD's Key Distribution Service: <c>/vcek/v1/{product}/{chip}?blSPL=…&amp;teeSPL=…&amp;snpSPL=…&amp;ucodeSPL=…</c>.</summary>
public static class AmdPath
{
    private const int ChipDigits = 128;
    private const int TurinChipDigits = 16;

    /// <summary>The product of a name in an address.</summary>
    public static bool IsProduct(string name) => name is "Milan" or "Genoa" or "Turin";

    /// <summary>The address of a VCEK's key.</summary>
    internal static bool TryReadVcek(string id, [NotNullWhen(true)] out string? path, [NotNullWhen(true)] out string? query)
    {
        (path, query) = (null, null);
        if (id.Split('/') is not [var name, { Length: ChipDigits } chip, var tcb] || !IsProduct(name) || !Enum.TryParse<SnpProduct>(name, out var product)
            || !ulong.TryParse(tcb, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
        {
            return false;
        }

        path = $"/vcek/v1/{name}/{(product is SnpProduct.Turin ? chip[..TurinChipDigits] : chip)}";
        query = ItemVerification.EndorsementQuery(product, new SnpTcb(value));
        return true;
    }

    /// <summary>The key of a VCEK's address; or the reason when it is not one.</summary>
    /// <param name="name">The product.</param>
    /// <param name="chip">The chip, in hexadecimal.</param>
    /// <param name="levels">The query, decoded.</param>
    /// <param name="key">The key.</param>
    /// <param name="whyNot">What the address should have.</param>
    public static bool TryReadKey(string name, string chip, Func<string, string?> levels, out CollateralKey key, [NotNullWhen(false)] out string? whyNot)
    {
        ArgumentNullException.ThrowIfNull(levels);
        ArgumentNullException.ThrowIfNull(chip);
        key = default;
        var known = Enum.TryParse<SnpProduct>(name, out var product) && IsProduct(name);
        var digits = product is SnpProduct.Turin ? TurinChipDigits : ChipDigits;
        byte Level(string level, ref bool sound)
        {
            var read = byte.TryParse(levels(level), NumberStyles.None, CultureInfo.InvariantCulture, out var value);
            sound &= read;
            return value;
        }

        var sound = true;
        var parts = new SnpTcbParts(product is SnpProduct.Turin ? Level("fmcSPL", ref sound) : (byte)0, Level("blSPL", ref sound), Level("teeSPL", ref sound), Level("snpSPL", ref sound), Level("ucodeSPL", ref sound));
        whyNot = !known ? "the product is Milan, Genoa or Turin"
            : chip.Length != digits || !chip.All(char.IsAsciiHexDigit) ? $"the chip is {digits} hexadecimal digits"
            : !sound ? "blSPL, teeSPL, snpSPL and ucodeSPL are numbers from 0 to 255; fmcSPL as well on Turin"
            : null;
        if (whyNot is null)
        {
            key = new CollateralKey(CollateralKind.Vcek, $"{product}/{chip.ToLowerInvariant().PadRight(ChipDigits, '0')}/{SnpTcb.Of(product, parts)}");
        }

        return whyNot is null;
    }
}

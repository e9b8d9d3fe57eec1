using System.Diagnostics.CodeAnalysis;
using Assay.Trust.Jose;

namespace Assay.Endorsements;

/// <summary>
/// The keys of a token issuer, as its address answered them. No key signs a key set: that it is the issuer's own follows from TLS and from the
/// address, which the site chose. So it is well-formed and nothing more; it has no date to compare, and it is not kept on disk or bundled.
/// </summary>
public sealed class KeySetItem : KeptItem
{
    private KeySetItem()
    {
    }

    /// <summary>Reads one.</summary>
    /// <param name="name">The name under which the site trusts the issuer.</param>
    /// <param name="json">The set.</param>
    /// <param name="item">The item.</param>
    /// <param name="fault">Why there is none.</param>
    public static bool TryRead(string name, ReadOnlyMemory<byte> json, [NotNullWhen(true)] out KeySetItem? item, [NotNullWhen(false)] out ItemFault? fault)
    {
        fault = JsonWebKeySet.TryParse(json.Span, out _, out var malformed) ? null : new ItemFault(ItemRefusal.Malformed, malformed.ToString());
        item = fault is not null ? null : new KeySetItem
        {
            Key = new CollateralKey(CollateralKind.KeySet, name),
            Body = json,
            ValidFrom = DateTimeOffset.MinValue,
            ValidUntil = DateTimeOffset.MaxValue,
            SignersUntil = DateTimeOffset.MaxValue,
        };
        return item is not null;
    }
}

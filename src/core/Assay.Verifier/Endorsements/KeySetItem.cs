using System.Diagnostics.CodeAnalysis;
using Assay.Trust.Jose;

namespace Assay.Endorsements;

/// <summary>The keys of a token issuer as an item of collateral.</summary>
public static class KeySetItem
{
    /// <summary>
    /// Reads them. Nobody signs them: that they are the issuer's own its address and TLS say, which the site that names it answers for.
    /// </summary>
    /// <param name="name">The name under which the site trusts the issuer.</param>
    /// <param name="json">The set.</param>
    /// <param name="item">The item.</param>
    /// <param name="fault">Why there is none.</param>
    public static bool TryRead(string name, ReadOnlyMemory<byte> json, [NotNullWhen(true)] out VerifiedItem? item, [NotNullWhen(false)] out ItemFault? fault)
    {
        fault = JsonWebKeySet.TryParse(json.Span, out _, out var malformed) ? null : new ItemFault(ItemRefusal.Malformed, malformed.ToString());
        item = fault is not null ? null : new VerifiedItem
        {
            Key = new CollateralKey(CollateralKind.KeySet, name),
            MarkId = name,
            Body = json,
            Rank = default,
            ValidFrom = DateTimeOffset.MinValue,
            ValidUntil = DateTimeOffset.MaxValue,
            SignersUntil = DateTimeOffset.MaxValue,
        };
        return item is not null;
    }
}

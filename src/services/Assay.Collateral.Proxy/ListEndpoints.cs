using Assay.Endorsements;
using Microsoft.AspNetCore.Http;

namespace Assay.Collateral.Proxy;

/// <summary>NVIDIA's revocation lists by the names that certificates give them, and key sets of token issuers by the site's names.</summary>
internal sealed class ListEndpoints(ItemAnswers answers)
{
    public Task GetAsync(HttpContext context, string name) =>
        // Addresses in certificates may have folders before the name.
        answers.GetAsync(context, new CollateralKey(CollateralKind.Crl, name[(name.LastIndexOf('/') + 1)..]), "application/pkix-crl");

    public Task KeysAsync(HttpContext context, string name) =>
        answers.GetAsync(context, new CollateralKey(CollateralKind.KeySet, name), "application/jwk-set+json");
}

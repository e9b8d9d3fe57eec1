using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Microsoft.AspNetCore.Http;

namespace Assay.Collateral.Proxy;

/// <summary>AMD's Key Distribution Service: <c>/vcek|vlek/v1/{product}/cert_chain</c>, <c>…/crl</c>, <c>/vcek/v1/{product}/{chip}?blSPL=…</c>.</summary>
internal sealed class AmdEndpoints(ItemAnswers answers)
{
    public Task ChainAsync(HttpContext context, string leaf, string product) => GetAsync(context, CollateralKind.AmdChain, leaf, product, "application/x-pem-file");

    public Task CrlAsync(HttpContext context, string leaf, string product) => GetAsync(context, CollateralKind.AmdCrl, leaf, product, "application/pkix-crl");

    public Task VcekAsync(HttpContext context, string product, string chip)
    {
        var query = context.Request.Query;
        return !AmdPath.IsProduct(product) ? Refusal.NotFoundAsync(context)
            : AmdPath.TryReadKey(product, chip, level => query[level], out var key, out var whyNot) ? answers.GetAsync(context, key, "application/pkix-cert")
            : Refusal.BadRequestAsync(context, whyNot);
    }

    private Task GetAsync(HttpContext context, CollateralKind kind, string leaf, string product, string type) =>
        AmdPath.IsProduct(product) ? answers.GetAsync(context, new CollateralKey(kind, $"{leaf}/{product}"), type) : Refusal.NotFoundAsync(context);
}

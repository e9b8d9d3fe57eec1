using Assay.Endorsements;
using Microsoft.AspNetCore.Http;

namespace Assay.Collateral.Proxy;

/// <summary>AMD's Key Distribution Service: <c>/vcek|vlek/v1/{product}/cert_chain</c>, <c>…/crl</c>, <c>/vcek/v1/{product}/{chip}?blSPL=…</c>.</summary>
internal sealed class AmdEndpoints(ItemAnswers answers)
{
    public Task GetAsync(HttpContext context, string leaf, string path)
    {
        if (path.Split('/') is not [var product, var what] || !AmdPath.IsProduct(product))
        {
            return Refusal.NotFoundAsync(context);
        }

        if (what is "cert_chain" or "crl")
        {
            var (kind, type) = what == "crl" ? (CollateralKind.AmdCrl, "application/pkix-crl") : (CollateralKind.AmdChain, "application/x-pem-file");
            return answers.GetAsync(context, new CollateralKey(kind, $"{leaf}/{product}"), type);
        }

        var query = context.Request.Query;
        return leaf != "vcek" ? Refusal.NotFoundAsync(context)
            : AmdPath.TryReadKey(product, what, level => query[level], out var key, out var whyNot) ? answers.GetAsync(context, key, "application/pkix-cert")
            : Refusal.WriteAsync(context, StatusCodes.Status400BadRequest, "bad-request", whyNot);
    }
}

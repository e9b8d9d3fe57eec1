using Assay.Collateral;
using Assay.Endorsements;

namespace Assay.Tests;

/// <summary>The questions that tests put to sources, in few words.</summary>
internal static class Asking
{
    extension(Fetched<CollateralItem> answer)
    {
        public ReadOnlyMemory<byte>? Bytes => answer.Item?.Body;
    }

    public static Task<Fetched<CollateralItem>> FetchAsync(this ICollateralSource source, string id, CancellationToken cancellation) => source.FetchAsync(CollateralQuestion.OfRim(id), cancellation);

    public static Task<Fetched<CollateralItem>> FetchAsync(this ICollateralSource source, RevocationQuery query, CancellationToken cancellation) => source.FetchAsync(CollateralQuestion.OfStatus(query), cancellation);
}

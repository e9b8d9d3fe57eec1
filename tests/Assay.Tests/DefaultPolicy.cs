using Assay.Appraisal.Devices;
using Assay.Policy;

namespace Assay.Tests;

/// <summary>The verdict about devices alone where the relying party brings no policy.</summary>
internal static class DefaultPolicy
{
    public static Verdict Decide(DevicesResult appraisal) => Verdict.Of(appraisal, RelyingPartyPolicy.Default, ClaimsVersion.V4);
}

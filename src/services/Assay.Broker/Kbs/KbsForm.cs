using Assay.Broker.Release;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;

namespace Assay.Broker.Kbs;

/// <summary>
/// A flattened JWE as guests of Confidential Containers open it: the protected header has <c>alg</c>, <c>enc</c> and <c>epk</c> in this order, and in <c>epk</c>
/// <c>crv</c>, <c>kty</c>, <c>x</c> and <c>y</c>. They parse the header and write it again to authenticate it, so another order, or another member, does not open.
/// </summary>
internal sealed class KbsForm : ReleaseForm
{
    public override SealedSecret Seal(ReadOnlySpan<byte> secret, SecretName name, SealingPublicKey recipient) =>
        new(Jwe.SealFlattened(recipient, secret, associated: [], new JweTerms { WithoutKeyId = true }));
}

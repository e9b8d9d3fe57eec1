using Assay.Binding;

namespace Assay.Guest.Agent;

/// <summary>Evidence for a service outside, which chose the nonce: it is part of what devices and processor sign, with the key.</summary>
/// <param name="bundle">Makes evidence over a challenge and a key.</param>
/// <param name="publicKey">The asking user's key.</param>
/// <param name="fault">The id of the fault where the nonce is no challenge of ours.</param>
internal sealed class ServiceEvidence(Func<string, KeyBinding, CancellationToken, Task<byte[]>> bundle, byte[] publicKey, string fault)
{
    /// <exception cref="GuestException">The nonce is no challenge of an Assay service, or devices or processor do not answer.</exception>
    public async Task<ReadOnlyMemory<byte>> OverAsync(string nonce, CancellationToken cancellation) =>
        KeyBinding.TryCreate(nonce, publicKey, out var binding, out var wrong) ? await bundle(nonce, binding, cancellation).ConfigureAwait(false)
            : throw new GuestException(fault, $"the service's challenge: {wrong}", "see that the address is that of an Assay service");
}

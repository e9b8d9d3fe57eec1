using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Assay.Guest.Configuration;
using Assay.Sealing;
using Assay.Sealing.Cms;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;

namespace Assay.Guest.Agent;

/// <content>What arrives sealed to a release key.</content>
internal sealed partial class GuestAgent
{
    /// <summary>
    /// Opens a key that was wrapped for a release key of this user, and wraps it for a key of the asking process: no socket, buffer or array of either
    /// process holds it in the clear.
    /// </summary>
    private HttpAnswer Unwrap(ReadOnlyMemory<byte> body, PeerCredentials peer)
    {
        const string expected = "{\"key\":NAME,\"wrapped\":JWE,\"recipient\":JWK}, or cms with base64 in place of wrapped, is expected";
        var root = StrictNode.Parse(body);
        var isCms = root.Has("cms");
        var (name, wrapped, recipient) = (root.Text("key"), root.Text(isCms ? "cms" : "wrapped", LongestWrapped), root.Raw("recipient", LongestKey));
        root.Require(!isCms || Base64.IsValid(wrapped), "cms", "base64 is expected");
        root.Require(recipient is not null, "recipient", "a JWK is expected");
        if (root.Close() is { } fault)
        {
            return Problem(400, "agent.request", fault, expected);
        }

        if (_state.Verifies && !_state.Snapshot.IsReady)
        {
            return NotReady(_state.Snapshot);
        }

        if (!SealingPublicKey.TryParse(recipient, out var key, out var wrong) || !TryOpen(_keys.Find(peer.User, name), isCms, wrapped, out var secret, out wrong))
        {
            return Problem(400, wrong.Id, wrong.Problem, wrong.Cure);
        }

        using (secret)
        {
            return secret.Length > LargestSecret ? Problem(400, "agent.request", $"more than {LargestSecret} bytes were wrapped", expected)
                : Json(writer => writer.WriteString("wrapped", secret.Use(lease => Jwe.SealCompact(key, lease.Bytes))));
        }
    }

    // CMS authenticates nothing: that the content is the one that was asked for is shown by the connection over which it came.
    private static bool TryOpen(SealingKeyPair pair, bool isCms, string wrapped, [NotNullWhen(true)] out SecretBuffer? secret, [NotNullWhen(false)] out SealingFault? fault) =>
        isCms ? EnvelopedKey.TryOpen(pair, Convert.FromBase64String(wrapped), out secret, out fault) : Jwe.TryOpen(pair, Encoding.ASCII.GetBytes(wrapped), out secret, out fault);
}

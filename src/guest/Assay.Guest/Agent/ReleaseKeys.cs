using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Assay.Guest.Agent;

/// <summary>
/// The keys that the agent made, by name: what is released to this VM is wrapped for one of them (S-3, S-23a). Private parts stay in this process,
/// each user has names of its own, and nobody brings a key along.
/// </summary>
internal sealed class ReleaseKeys : IDisposable
{
    private const int MostKeys = 64;
    private const int LongestName = 32;

    private readonly Lock _lock = new();
    private readonly Dictionary<(uint User, string Name), ECDiffieHellman> _keys = [];

    /// <summary>The public part of a user's key, made where it is not there yet.</summary>
    /// <exception cref="GuestException">The name is none, or there are too many.</exception>
    public byte[] PublicKey(uint user, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length is 0 or > LongestName || name.Any(letter => !char.IsAsciiLetterLower(letter) && !char.IsAsciiDigit(letter) && letter != '-'))
        {
            throw new GuestException("agent.key", $"a key's name has 1 to {LongestName} small letters, digits and hyphens; a key from outside is never taken", "give the name of a key, which the agent makes when it is first named");
        }

        lock (_lock)
        {
            if (!_keys.TryGetValue((user, name), out var key))
            {
                if (_keys.Count >= MostKeys)
                {
                    throw new GuestException("agent.keys", $"there are {MostKeys} keys already", "use one of them");
                }

                _keys.Add((user, name), key = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256));
            }

            var point = key.ExportParameters(includePrivateParameters: false).Q;
            return Encoding.ASCII.GetBytes($$"""{"alg":"ECDH-ES+A256KW","crv":"P-256","kty":"EC","x":"{{Base64Url.EncodeToString(point.X)}}","y":"{{Base64Url.EncodeToString(point.Y)}}"}""");
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            foreach (var key in _keys.Values)
            {
                key.Dispose();
            }

            _keys.Clear();
        }
    }
}

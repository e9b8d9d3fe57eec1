using System.Text.Json;
using Assay.Guest.Secrets;
using Assay.Sealing;
using Assay.Sealing.Keys;

namespace Assay.Guest.Agent;

/// <summary>
/// The keys that the agent made, by name: what is released to this VM is wrapped for one of them (S-3, S-23a). A private key rests in this process' locked
/// memory and has no way out; each user has names of its own, and no key is brought along.
/// </summary>
/// <param name="tpm">Makes keys in the TPM; null: they are in this process.</param>
internal sealed class ReleaseKeys(TpmReleaseKeys? tpm = null) : IDisposable
{
    /// <summary>Where the private keys live, as the public key states it: in the memory of the confidential VM. The member is part of what devices and processor sign.</summary>
    public const string InMemory = "cvm-memory";

    /// <summary>Made in the TPM of the TEE, which uses it and does not give it out. A third word is kept for a GPU whose firmware takes keys.</summary>
    public const string InTpm = "tpm";

    private const string StorageMember = "x-assay-key-storage";
    private const int MostKeys = 256;
    private const int MostKeysOfUser = 16;

    private static readonly (string Word, KeyKind Kind)[] s_kinds = [("P-256", KeyKind.P256), ("P-384", KeyKind.P384), ("P-521", KeyKind.P521), ("RSA-3072", KeyKind.Rsa3072), ("RSA-4096", KeyKind.Rsa4096)];

    private readonly Lock _lock = new();
    private readonly Dictionary<(uint User, string Name), SealingKeyPair> _keys = [];

    /// <summary>The kind that a word names; null for any other word.</summary>
    public static KeyKind? KindOf(string word) => s_kinds.Where(kind => kind.Word == word).Select(kind => (KeyKind?)kind.Kind).FirstOrDefault();

    /// <summary>The public part of a user's key as JWK, made where it is not there yet.</summary>
    /// <param name="user">Whose.</param>
    /// <param name="name">Its name.</param>
    /// <param name="kind">Null: as it is, and P-384 where it is new.</param>
    /// <exception cref="GuestException">The name is malformed, the key exists with another kind, or there are too many keys.</exception>
    /// <exception cref="SealingException">Memory that cannot be locked.</exception>
    public byte[] PublicKey(uint user, string name, KeyKind? kind = null)
    {
        KeyName.Require(name);
        lock (_lock)
        {
            if (!_keys.TryGetValue((user, name), out var pair))
            {
                if (_keys.Count >= MostKeys || _keys.Keys.Count(key => key.User == user) >= MostKeysOfUser)
                {
                    throw new GuestException("agent.keys", $"there are {MostKeysOfUser} keys of this user, or {MostKeys} of all users", "use a key that exists");
                }

                _keys.Add((user, name), pair = Generate(kind ?? KeyKind.P384));
            }

            return kind is null || pair.PublicKey.Kind == kind ? Jwk(pair.PublicKey)
                : throw new GuestException("agent.key", $"the key {name} exists and is of another kind", "give another name, or leave the kind out", WordOf(pair.PublicKey.Kind), WordOf(kind.Value));
        }
    }

    /// <summary>A user's key that was made before.</summary>
    /// <exception cref="GuestException">This user has no such key, so nothing can have been sealed to it.</exception>
    public SealingKeyPair Find(uint user, string name)
    {
        KeyName.Require(name);
        lock (_lock)
        {
            return _keys.GetValueOrDefault((user, name)) ?? throw new GuestException("agent.key", $"this user has no key {name} in this boot", "ask for evidence with the key first, and have the secret sealed to it");
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            foreach (var pair in _keys.Values)
            {
                pair.Dispose();
            }

            _keys.Clear();
        }
    }

    private SealingKeyPair Generate(KeyKind kind) => tpm?.Generate(kind) ?? SealingKeyPair.GenerateEphemeralKeyPair(kind);

    private static string WordOf(KeyKind kind) => s_kinds.First(known => known.Kind == kind).Word;

    // In canonical order. The algorithm is the one with which a key is wrapped for it (RFC 7518; KBS protocol 0.4.0).
    private byte[] Jwk(SealingPublicKey key)
    {
        using var document = JsonDocument.Parse(key.Jwk);
        var isCurve = key.Kind is KeyKind.P256 or KeyKind.P384 or KeyKind.P521;
        var members = document.RootElement.EnumerateObject().Select(member => (member.Name, Value: member.Value.GetString()!))
            .Append(("alg", isCurve ? "ECDH-ES+A256KW" : "RSA-OAEP-256")).Append((StorageMember, tpm is null ? InMemory : InTpm));
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            foreach (var (name, value) in members.OrderBy(member => member.Item1, StringComparer.Ordinal))
            {
                writer.WriteString(name, value);
            }

            writer.WriteEndObject();
        }

        return stream.ToArray();
    }
}

using System.Text.Json;
using Assay.Sealing;
using Assay.Sealing.Keys;

namespace Assay.Guest.Agent;

/// <summary>
/// The keys that the agent made, by name: what is released to this VM is wrapped for one of them (S-3, S-23a). A private key rests in this process' locked
/// memory and has no way out; each user has names of its own, and no key is brought along.
/// </summary>
internal sealed class ReleaseKeys : IDisposable
{
    /// <summary>
    /// Where the private keys live, as the public key states it: in the memory of the confidential VM. The member is part of what devices and processor sign.
    /// Other words are kept for a TPM of the TEE and for a GPU whose firmware takes keys.
    /// </summary>
    public const string Storage = "cvm-memory";

    private const string StorageMember = "x-assay-key-storage";
    private const int MostKeys = 256;
    private const int MostKeysOfUser = 16;
    private const int LongestName = 32;

    private static readonly (string Word, KeyKind Kind)[] s_kinds = [("P-256", KeyKind.P256), ("P-384", KeyKind.P384), ("P-521", KeyKind.P521), ("RSA-3072", KeyKind.Rsa3072), ("RSA-4096", KeyKind.Rsa4096)];

    private readonly Lock _lock = new();
    private readonly Dictionary<(uint User, string Name), SealingKeyPair> _keys = [];

    /// <summary>The kind of a word; null where it is none.</summary>
    public static KeyKind? KindOf(string word) => s_kinds.Where(kind => kind.Word == word).Select(kind => (KeyKind?)kind.Kind).FirstOrDefault();

    /// <summary>The public part of a user's key as JWK, made where it is not there yet.</summary>
    /// <param name="user">Whose.</param>
    /// <param name="name">Its name.</param>
    /// <param name="kind">Null: as it is, and P-384 where it is new.</param>
    /// <exception cref="GuestException">The name is none, the key is of another kind, or there are too many.</exception>
    public byte[] PublicKey(uint user, string name, KeyKind? kind = null)
    {
        RequireName(name);
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
    /// <exception cref="GuestException">There is none: nothing can have been sealed to it.</exception>
    public SealingKeyPair Find(uint user, string name)
    {
        RequireName(name);
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

    private static void RequireName(string name)
    {
        if (name.Length is 0 or > LongestName || name.Any(letter => !char.IsAsciiLetterLower(letter) && !char.IsAsciiDigit(letter) && letter != '-'))
        {
            throw new GuestException("agent.key", $"a key's name has 1 to {LongestName} small letters, digits and hyphens; a key from outside is never taken", "give the name of a key, which the agent makes when it is first named");
        }
    }

    private static SealingKeyPair Generate(KeyKind kind)
    {
        try
        {
            return SealingKeyPair.GenerateEphemeralKeyPair(kind);
        }
        catch (SealingException exception)
        {
            throw new GuestException(exception.Fault.Id, exception.Fault.Problem, exception.Fault.Cure);
        }
    }

    private static string WordOf(KeyKind kind) => s_kinds.First(known => known.Kind == kind).Word;

    // In canonical order. The algorithm is the one with which a key is wrapped for it (RFC 7518; KBS protocol 0.4.0).
    private static byte[] Jwk(SealingPublicKey key)
    {
        using var document = JsonDocument.Parse(key.Jwk);
        var isCurve = key.Kind is KeyKind.P256 or KeyKind.P384 or KeyKind.P521;
        var members = document.RootElement.EnumerateObject().Select(member => (member.Name, Value: member.Value.GetString()!))
            .Append(("alg", isCurve ? "ECDH-ES+A256KW" : "RSA-OAEP-256")).Append((StorageMember, Storage));
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

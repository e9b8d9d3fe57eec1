using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Net.Pkcs11Interop.Common;
using Net.Pkcs11Interop.HighLevelAPI;

namespace Assay.Service.Keys.Pkcs11;

/// <summary>A session that is logged in, with the key.</summary>
internal sealed record Pkcs11Session(ISession Session, IObjectHandle Key, string Id)
{
    /// <summary>Closes it, where the token still knows it.</summary>
    public void Close()
    {
        try
        {
            Session.CloseSession();
        }
        catch (Pkcs11Exception)
        {
            // It ended before.
        }
    }
}

/// <summary>
/// A token and its key encryption key: AES-256, made in the token, never extractable, for encryption and decryption and not for wrapping. A key with both
/// uses gives up every extractable key that it can wrap: wrap, then decrypt as data.
/// </summary>
internal sealed class Pkcs11Token(Pkcs11Terms terms)
{
    private const int KeySize = RecordCipher.KeySize;
    private const int LeastId = 8;
    private const int MostPin = 256;

    private bool _isPinRefused;

    private static Pkcs11InteropFactories Factories => Pkcs11Module.Factories;

    public Pkcs11Module Module { get; } = Pkcs11Module.Of(terms.Module);

    /// <summary>Opens a session, logs in where the process is not yet, and finds the key. Inside <see cref="Pkcs11Module.Use"/>.</summary>
    /// <exception cref="ServiceException">Module, token, PIN or key are not as they must be.</exception>
    /// <exception cref="Pkcs11Exception">The token does not answer.</exception>
    public Pkcs11Session Open(IPkcs11Library library)
    {
        var session = OpenSession(library, SessionType.ReadOnly);
        try
        {
            var keys = Find(session);
            return keys is [var key] ? new Pkcs11Session(session, key, IdOf(session, key))
                : throw Fault(keys.Count == 0 ? $"the token has no AES key with this label: assay-server init-key --config FILE makes it" : $"the token has {keys.Count} AES keys with this label, one is expected: name another label");
        }
        catch
        {
            Close(session);
            throw;
        }
    }

    /// <summary>Makes the key in the token. Returns its id.</summary>
    /// <exception cref="ServiceException">The token has a key with this label, or does not make one as it must be.</exception>
    /// <exception cref="Pkcs11Exception">The token does not answer.</exception>
    public string Create(IPkcs11Library library)
    {
        var session = OpenSession(library, SessionType.ReadWrite);
        try
        {
            if (Find(session).Count > 0)
            {
                throw new ServiceException("service.kek.create", $"the token \"{terms.Token}\" has a key with the label \"{terms.Key}\": what was wrapped under it could not be read any more. Name another label, or remove the key yourself where that is meant");
            }

            var attributes = Factories.ObjectAttributeFactory;
            using var mechanism = Factories.MechanismFactory.Create(CKM.CKM_AES_KEY_GEN);
            var key = session.GenerateKey(mechanism,
            [
                attributes.Create(CKA.CKA_CLASS, CKO.CKO_SECRET_KEY), attributes.Create(CKA.CKA_KEY_TYPE, CKK.CKK_AES), attributes.Create(CKA.CKA_VALUE_LEN, KeySize),
                attributes.Create(CKA.CKA_LABEL, terms.Key), attributes.Create(CKA.CKA_ID, RandomNumberGenerator.GetBytes(16)),
                attributes.Create(CKA.CKA_TOKEN, true), attributes.Create(CKA.CKA_PRIVATE, true), attributes.Create(CKA.CKA_SENSITIVE, true), attributes.Create(CKA.CKA_EXTRACTABLE, false),
                attributes.Create(CKA.CKA_ENCRYPT, true), attributes.Create(CKA.CKA_DECRYPT, true), attributes.Create(CKA.CKA_WRAP, false), attributes.Create(CKA.CKA_UNWRAP, false),
            ]);
            try
            {
                return IdOf(session, key);
            }
            catch
            {
                session.DestroyObject(key);
                throw;
            }
        }
        finally
        {
            Close(session);
        }
    }

    private ISession OpenSession(IPkcs11Library library, SessionType type)
    {
        var slots = Tokens(library, out var silent);
        var found = slots.Where(slot => slot.Info.Label.TrimEnd() == terms.Token).ToList();
        if (found is not [var (slot, info)])
        {
            if (found.Count == 0 && silent is not null)
            {
                // It may be the one: an outage, and nothing to correct.
                throw silent;
            }

            throw Fault(found.Count > 1 ? "several tokens have this label" : $"no token has this label; found {(slots.Count == 0 ? "no token" : string.Join(", ", slots.Select(other => $"\"{other.Info.Label.TrimEnd()}\"")))}");
        }

        if (!slot.GetMechanismList().Contains(CKM.CKM_AES_GCM))
        {
            throw Fault("the token has no CKM_AES_GCM, with which keys are wrapped");
        }

        var session = slot.OpenSession(type);
        try
        {
            Login(session, info);
            return session;
        }
        catch
        {
            Close(session);
            throw;
        }
    }

    // Another token that does not answer is no concern of ours.
    private static List<(ISlot Slot, ITokenInfo Info)> Tokens(IPkcs11Library library, out Pkcs11Exception? silent)
    {
        silent = null;
        var tokens = new List<(ISlot, ITokenInfo)>();
        foreach (var slot in library.GetSlotList(SlotsType.WithTokenPresent))
        {
            try
            {
                if (slot.GetTokenInfo() is { TokenFlags.TokenInitialized: true } info)
                {
                    tokens.Add((slot, info));
                }
            }
            catch (Pkcs11Exception exception)
            {
                silent = exception;
            }
        }

        return tokens;
    }

    // A wrong PIN is counted by the token, which locks itself: it is tried once by a process, and never as the last try.
    private void Login(ISession session, ITokenInfo info)
    {
        if (session.GetSessionInfo().State is CKS.CKS_RO_USER_FUNCTIONS or CKS.CKS_RW_USER_FUNCTIONS)
        {
            return;
        }

        if (_isPinRefused || info.TokenFlags.UserPinLocked || info.TokenFlags.UserPinFinalTry)
        {
            throw new ServiceException("service.kek.pin", _isPinRefused ? $"the token \"{terms.Token}\" refused the PIN before, and it is not tried again: correct {terms.Pin} and start again"
                : $"the token \"{terms.Token}\" {(info.TokenFlags.UserPinLocked ? "has locked its PIN: its security officer sets a new one" : "allows one more try of its PIN, which is not used up here: log in once with the right one, for example by pkcs11-tool --login")}");
        }

        var pin = SecretFile.ReadLine(terms.Pin, "kek.pkcs11.pin", "service.kek.pin", "PIN", MostPin);
        try
        {
            session.Login(CKU.CKU_USER, pin);
        }
        catch (Pkcs11Exception exception) when (exception.RV is CKR.CKR_USER_ALREADY_LOGGED_IN)
        {
            // Another session of this process was faster.
        }
        catch (Pkcs11Exception exception) when (exception.RV is CKR.CKR_PIN_INCORRECT or CKR.CKR_PIN_INVALID or CKR.CKR_PIN_LEN_RANGE or CKR.CKR_PIN_LOCKED or CKR.CKR_PIN_EXPIRED or CKR.CKR_USER_PIN_NOT_INITIALIZED)
        {
            _isPinRefused = true;
            throw new ServiceException("service.kek.pin", $"the token \"{terms.Token}\" refuses the PIN of {terms.Pin}: {exception.RV}", exception);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(pin);
        }
    }

    private List<IObjectHandle> Find(ISession session) => session.FindAllObjects(
    [
        Factories.ObjectAttributeFactory.Create(CKA.CKA_CLASS, CKO.CKO_SECRET_KEY), Factories.ObjectAttributeFactory.Create(CKA.CKA_KEY_TYPE, CKK.CKK_AES),
        Factories.ObjectAttributeFactory.Create(CKA.CKA_TOKEN, true), Factories.ObjectAttributeFactory.Create(CKA.CKA_LABEL, terms.Key),
    ]);

    // Each time: a key that was replaced by an extractable one is found by its attributes, not trusted by its label.
    private string IdOf(ISession session, IObjectHandle key)
    {
        CKA[] must = [CKA.CKA_SENSITIVE, CKA.CKA_ALWAYS_SENSITIVE, CKA.CKA_NEVER_EXTRACTABLE, CKA.CKA_LOCAL, CKA.CKA_PRIVATE, CKA.CKA_ENCRYPT, CKA.CKA_DECRYPT];
        CKA[] mustNot = [CKA.CKA_EXTRACTABLE, CKA.CKA_WRAP, CKA.CKA_UNWRAP];
        var read = session.GetAttributeValue(key, [CKA.CKA_ID, CKA.CKA_VALUE_LEN, .. must, .. mustNot]);
        try
        {
            var id = read[0].GetValueAsByteArray() ?? [];
            var wrong = must.Select((name, index) => (Name: name, Is: read[2 + index].GetValueAsBool(), Wanted: true))
                .Concat(mustNot.Select((name, index) => (Name: name, Is: read[2 + must.Length + index].GetValueAsBool(), Wanted: false)))
                .Where(attribute => attribute.Is != attribute.Wanted).Select(attribute => $"{attribute.Name} is {(attribute.Is ? "true" : "false")}").ToList();
            if (wrong.Count > 0 || read[1].GetValueAsUlong() != KeySize || id.Length < LeastId)
            {
                throw Fault($"the key is not as assay-server init-key makes it: {string.Join(", ", wrong.DefaultIfEmpty(id.Length < LeastId ? $"CKA_ID has less than {LeastId} bytes" : "it has another length than 256 bits"))}");
            }

            byte[] named = [.. "assay pkcs11 kek v1\0"u8, .. id];
            return Base64Url.EncodeToString(SHA256.HashData(named).AsSpan(0, 16));
        }
        finally
        {
            read.ForEach(attribute => attribute.Dispose());
        }
    }

    private ServiceException Fault(string what) => new("service.kek.token", $"kek.pkcs11, token \"{terms.Token}\", key \"{terms.Key}\": {what}");

    private static void Close(ISession session)
    {
        try
        {
            session.CloseSession();
        }
        catch (Pkcs11Exception)
        {
            // It ended before.
        }
    }
}

using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Net.Pkcs11Interop.Common;
using Net.Pkcs11Interop.HighLevelAPI;

namespace Assay.Service.Keys.Pkcs11;

/// <summary>
/// The back-end <c>pkcs11</c>: the key encryption key never leaves its token. A wrapped key is <c>iv[12] ‖ ciphertext ‖ tag[16]</c>, CKM_AES_GCM in the token
/// with the context as additional data. IVs are random: at most 2^32 under one key (NIST SP 800-38D, section 8.3), one for each version of a broker's key.
/// Each operation has a session for itself, at most eight at once. A session that the token no longer knows is replaced, and the operation tried once more.
/// </summary>
internal sealed class Pkcs11KeyWrapper : IKeyWrapper
{
    private const int MostSessions = 8;
    private const int IvSize = 12;
    private const int TagSize = 16;
    private const string ProbeContext = "probe";

    // A function of PKCS#11 cannot be ended from outside: the caller gets an answer, and the thread its place back when the token answers.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_fresh = TimeSpan.FromSeconds(1);

    private readonly Pkcs11Token _token;
    private readonly ConcurrentBag<Pkcs11Session> _idle = [];
    private readonly SemaphoreSlim _places = new(MostSessions);
    private byte[] _probe = [];
    private long _probedAt = -(long)s_fresh.TotalMilliseconds;
    private bool _answers;
    private volatile bool _isDisposed;

    private Pkcs11KeyWrapper(Pkcs11Token token, string id) => (_token, Id) = (token, id);

    public string Id { get; }

    public string Mechanism => "CKM_AES_GCM";

    /// <summary>Logs in, finds the key, and tries it.</summary>
    /// <exception cref="ServiceException">Module, token, PIN or key are not as they must be, or the token does not answer.</exception>
    public static async Task<IKeyWrapper> OpenAsync(Pkcs11Terms terms, CancellationToken cancellation)
    {
        var token = new Pkcs11Token(terms);
        string id;
        try
        {
            id = await FirstAsync(token, terms.Token, cancellation).ConfigureAwait(false);
        }
        catch (ServiceException exception) when (exception.InnerException is Pkcs11Exception && exception.Id == KeyEncryptionKey.Unavailable)
        {
            if (!await Guarded(terms.Token, () => Task.Run(token.Module.TryRestart, cancellation)).ConfigureAwait(false))
            {
                throw;
            }

            id = await FirstAsync(token, terms.Token, cancellation).ConfigureAwait(false);
        }

        var wrapper = new Pkcs11KeyWrapper(token, id);
        wrapper._probe = await wrapper.WrapAsync(RandomNumberGenerator.GetBytes(RecordCipher.KeySize), ProbeContext, cancellation).ConfigureAwait(false);
        return wrapper;
    }

    /// <summary>Makes the key in the token. Returns its id.</summary>
    /// <exception cref="ServiceException">The token has a key with this label, or does not make one as it must be, or does not answer.</exception>
    public static Task<string> CreateAsync(Pkcs11Terms terms, CancellationToken cancellation) => Guarded(terms.Token, () => Task.Run(() =>
    {
        var token = new Pkcs11Token(terms);
        return token.Module.Use(token.Create);
    }).WaitAsync(s_patience, cancellation));

    public async Task<byte[]> WrapAsync(ReadOnlyMemory<byte> key, string context, CancellationToken cancellation)
    {
        var (plain, iv) = (key.ToArray(), RandomNumberGenerator.GetBytes(IvSize));
        try
        {
            byte[] wrapped = [.. iv, .. await RecoverAsync(session => Encrypt(session, iv, plain, context), cancellation).ConfigureAwait(false)];
            return wrapped.Length == IvSize + plain.Length + TagSize ? wrapped : throw Unavailable($"a wrapped key has {wrapped.Length} bytes");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(plain);
        }
    }

    public async Task<byte[]?> UnwrapAsync(ReadOnlyMemory<byte> wrapped, string context, CancellationToken cancellation)
    {
        if (wrapped.Length <= IvSize + TagSize)
        {
            return null;
        }

        try
        {
            return await RecoverAsync(session => Decrypt(session, wrapped, context), cancellation).ConfigureAwait(false);
        }
        // SoftHSM, for one, answers to a changed ciphertext with the same CKR_GENERAL_ERROR as to any trouble. What the token wrapped at the start tells.
        catch (ServiceException exception) when (exception.InnerException is Pkcs11Exception)
        {
            return await ProbeAsync(cancellation).ConfigureAwait(false) ? null : throw new ServiceException(exception.Id, exception.Message, exception);
        }
    }

    public async Task<bool> AnswersAsync(CancellationToken cancellation)
    {
        // The health of a server may be asked without a credential: that must not keep the token busy.
        if (Environment.TickCount64 - Volatile.Read(ref _probedAt) >= s_fresh.TotalMilliseconds)
        {
            Volatile.Write(ref _answers, await ProbeAsync(cancellation).ConfigureAwait(false) || (await RestartAsync().ConfigureAwait(false) && await ProbeAsync(cancellation).ConfigureAwait(false)));
            Volatile.Write(ref _probedAt, Environment.TickCount64);
        }

        return Volatile.Read(ref _answers);
    }

    public void Dispose()
    {
        _isDisposed = true;
        while (_idle.TryTake(out var session))
        {
            session.Close();
        }
    }

    private static Task<string> FirstAsync(Pkcs11Token token, string label, CancellationToken cancellation) => Guarded(label, () => Task.Run(
        () =>
        {
            var first = token.Module.Use(token.Open);
            first.Close();
            return first.Id;
        },
        CancellationToken.None).WaitAsync(s_patience, cancellation));

    private async Task<bool> ProbeAsync(CancellationToken cancellation)
    {
        try
        {
            return await Guarded(null, () => RunAsync(session => Decrypt(session, _probe, ProbeContext), cancellation)).ConfigureAwait(false) is { Length: RecordCipher.KeySize };
        }
        catch (ServiceException)
        {
            return false;
        }
    }

    // Once more after a new start of the module, where the token answers nothing at all: an operation that is refused is no reason for it.
    private async Task<T> RecoverAsync<T>(Func<Pkcs11Session, T> work, CancellationToken cancellation)
    {
        try
        {
            return await Guarded(null, () => RunAsync(work, cancellation)).ConfigureAwait(false);
        }
        catch (ServiceException exception) when (exception.InnerException is not TimeoutException)
        {
            if (_probe.Length == 0 || await ProbeAsync(cancellation).ConfigureAwait(false) || !await RestartAsync().ConfigureAwait(false))
            {
                throw;
            }
        }

        return await Guarded(null, () => RunAsync(work, cancellation)).ConfigureAwait(false);
    }

    private Task<bool> RestartAsync() => Guarded(null, () => Task.Run(_token.Module.TryRestart));

    private async Task<T> RunAsync<T>(Func<Pkcs11Session, T> work, CancellationToken cancellation)
    {
        if (!await _places.WaitAsync(s_patience, cancellation).ConfigureAwait(false))
        {
            throw new TimeoutException();
        }

        var running = Task.Run(
            () =>
            {
                try
                {
                    return Try(work);
                }
                finally
                {
                    _places.Release();
                }
            },
            CancellationToken.None);
        return await running.WaitAsync(s_patience, cancellation).ConfigureAwait(false);
    }

    private T Try<T>(Func<Pkcs11Session, T> work)
    {
        try
        {
            return _token.Module.Use(library => Do(work, _idle.TryTake(out var idle) ? idle : Open(library)));
        }
        catch (Pkcs11Exception)
        {
            return _token.Module.Use(library => Do(work, Open(library)));
        }
    }

    private T Do<T>(Func<Pkcs11Session, T> work, Pkcs11Session session)
    {
        try
        {
            var done = work(session);
            Keep(session);
            return done;
        }
        catch (Pkcs11Exception)
        {
            // Also one that only has an operation begun: it would refuse the next one. The others are most likely in the same state.
            session.Close();
            while (_idle.TryTake(out var other))
            {
                other.Close();
            }

            throw;
        }
    }

    private Pkcs11Session Open(IPkcs11Library library)
    {
        var session = _token.Open(library);
        if (session.Id == Id)
        {
            return session;
        }

        session.Close();
        throw new ServiceException("service.kek.token", $"the token has another key under the label than at the start ({session.Id} in place of {Id})");
    }

    private void Keep(Pkcs11Session session)
    {
        if (_isDisposed)
        {
            session.Close();
            return;
        }

        _idle.Add(session);
    }

    private static byte[] Encrypt(Pkcs11Session session, byte[] iv, byte[] plain, string context)
    {
        using var parameters = Pkcs11Module.Factories.MechanismParamsFactory.CreateCkGcmParams(iv, IvSize * 8, AdditionalData(context), TagSize * 8);
        using var mechanism = Pkcs11Module.Factories.MechanismFactory.Create(CKM.CKM_AES_GCM, parameters);
        return session.Session.Encrypt(mechanism, session.Key, plain);
    }

    private static byte[] Decrypt(Pkcs11Session session, ReadOnlyMemory<byte> wrapped, string context)
    {
        using var parameters = Pkcs11Module.Factories.MechanismParamsFactory.CreateCkGcmParams(wrapped[..IvSize].ToArray(), IvSize * 8, AdditionalData(context), TagSize * 8);
        using var mechanism = Pkcs11Module.Factories.MechanismFactory.Create(CKM.CKM_AES_GCM, parameters);
        return session.Session.Decrypt(mechanism, session.Key, wrapped[IvSize..].ToArray());
    }

    private static byte[] AdditionalData(string context) => Encoding.UTF8.GetBytes($"assay wrapped key v1\0{context}");

    // At the start faults keep their own ids, with which an operator finds what to correct; later there is nothing to correct in the configuration.
    private static async Task<T> Guarded<T>(string? startsWithToken, Func<Task<T>> work)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (Pkcs11Exception exception)
        {
            throw Unavailable($"{exception.Method} answers {exception.RV}", exception);
        }
        catch (TimeoutException exception)
        {
            throw Unavailable($"no answer within {s_patience.TotalSeconds} seconds", exception);
        }
        catch (ServiceException exception) when (startsWithToken is null && exception.Id != KeyEncryptionKey.Unavailable)
        {
            throw Unavailable(exception.Message, exception);
        }
    }

    private static ServiceException Unavailable(string why, Exception? cause = null) => new(KeyEncryptionKey.Unavailable, $"the token with the key encryption key does not answer: {why}", cause);
}

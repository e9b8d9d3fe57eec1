using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Assay.Wire;

namespace Assay.Service.Keys.Remote;

/// <summary>
/// What the back-ends that are asked over a network have in common. What is encrypted there is <c>SHA-256("assay wrapped key v1" 00 context)[32] ‖ key[32]</c>:
/// the context is bound by the service's own additional data and once more inside, so that a service that begins to ignore the former cannot have two wrapped
/// keys swapped. At most eight operations are under way, and each has ten seconds, with what is tried again. A data key passes through the buffers of the HTTP
/// client, which are not wiped: it opens one record, or, at the start, the database that this process has open anyway.
/// </summary>
internal abstract class RemoteKeyWrapper : IKeyWrapper
{
    /// <summary>What is encrypted: the digest of the context, and the key.</summary>
    protected const int PlainSize = SHA256.HashSizeInBytes + RecordCipher.KeySize;

    /// <summary>As an envelope keeps it.</summary>
    protected const int MostWrapped = 4096;

    /// <summary>Bytes of an answer. The longest that is expected has 6 kB.</summary>
    public const int MostAnswer = 64 * 1024;

    private const int MostUnderWay = 8;
    private const int MostText = 200;
    private const string ProbeContext = "probe";

    // A health question may come without a credential, and each one that is passed on is a line of an audit log there, and costs money at a cloud: one is under
    // way, and its answer is believed for so long.
    private static readonly TimeSpan s_fresh = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_freshOutage = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _places = new(MostUnderWay);
    private readonly string _service;
    private readonly string _fault;
    private readonly TimeSpan _patience;
    private byte[] _probe = [];
    private long _askedAt;
    private int _isAsking;
    private bool _answers;
    private volatile bool _isOpen;

    /// <param name="service">What it is, for messages.</param>
    /// <param name="fault">The id of a fault of the configuration, or of what the service was told by its operator.</param>
    /// <param name="id">Tells the key apart.</param>
    /// <param name="patience">How long an operation may take.</param>
    protected RemoteKeyWrapper(string service, string fault, string id, TimeSpan patience) => (_service, _fault, Id, _patience) = (service, fault, id, patience);

    /// <summary>How long an operation may take, where a test states nothing shorter.</summary>
    public static TimeSpan Patience => TimeSpan.FromSeconds(10);

    public string Id { get; }

    public abstract string Mechanism { get; }

    /// <summary>The id of a key whose names are known.</summary>
    protected static string IdOf(string label, params ReadOnlySpan<string> names) =>
        System.Buffers.Text.Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes($"{label}\0{string.Join('\0', names)}")).AsSpan(0, 16));

    /// <summary>Encrypts in the service. What is returned has at most <see cref="MostWrapped"/> bytes.</summary>
    /// <exception cref="ServiceException">The service does not, or not as documented.</exception>
    protected abstract Task<byte[]> EncryptAsync(byte[] plain, string context, CancellationToken cancellation);

    /// <summary>Decrypts in the service; null if it refuses these bytes, and the service is well.</summary>
    /// <exception cref="ServiceException">The service does not answer, or not as documented.</exception>
    protected abstract Task<byte[]?> DecryptAsync(byte[] wrapped, string context, CancellationToken cancellation);

    /// <summary>Tries the key, as the last act of opening: what it wraps it unwraps, and for no other context.</summary>
    /// <exception cref="ServiceException">It does not, or the service does not answer.</exception>
    protected async Task TryAsync(CancellationToken cancellation)
    {
        var probe = Bind(RandomNumberGenerator.GetBytes(RecordCipher.KeySize), ProbeContext);
        var wrapped = await RunAsync(patience => EncryptAsync(probe, ProbeContext, patience), cancellation).ConfigureAwait(false);
        if (await RunAsync(patience => DecryptAsync(wrapped, ProbeContext, patience), cancellation).ConfigureAwait(false) is not { } opened || !CryptographicOperations.FixedTimeEquals(probe, opened))
        {
            throw Fault("what it encrypts it does not decrypt again");
        }

        // Otherwise what is wrapped now would open no more when the service is updated to a version that heeds it.
        if (await RunAsync(patience => DecryptAsync(wrapped, $"{ProbeContext}/other", patience), cancellation).ConfigureAwait(false) is not null)
        {
            throw Fault("it decrypts under another context than it encrypted under: it ignores additional data. Use a version that heeds them");
        }

        (_probe, _answers, _askedAt, _isOpen) = (wrapped, true, Environment.TickCount64, true);
    }

    public async Task<byte[]> WrapAsync(ReadOnlyMemory<byte> key, string context, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(key.Length, RecordCipher.KeySize);
        ArgumentException.ThrowIfNullOrEmpty(context);
        var plain = Bind(key.Span, context);
        try
        {
            return await RunAsync(patience => EncryptAsync(plain, context, patience), cancellation).ConfigureAwait(false);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(plain);
        }
    }

    public async Task<byte[]?> UnwrapAsync(ReadOnlyMemory<byte> wrapped, string context, CancellationToken cancellation)
    {
        ArgumentException.ThrowIfNullOrEmpty(context);
        if (wrapped.Length is 0 or > MostWrapped)
        {
            return null;
        }

        var plain = await RunAsync(patience => DecryptAsync(wrapped.ToArray(), context, patience), cancellation).ConfigureAwait(false);
        if (plain is null)
        {
            // A service tells by one answer of a changed ciphertext and of other trouble. What it wrapped at the start tells which it is.
            return await OpensProbeAsync(cancellation).ConfigureAwait(false) ? null : throw Unavailable("it refuses also what it wrapped when this process started");
        }

        try
        {
            return plain.Length == PlainSize && CryptographicOperations.FixedTimeEquals(plain.AsSpan(0, SHA256.HashSizeInBytes), Digest(context)) ? plain[SHA256.HashSizeInBytes..] : null;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(plain);
        }
    }

    public async Task<bool> AnswersAsync(CancellationToken cancellation)
    {
        var answers = Volatile.Read(ref _answers);
        var fresh = answers ? s_fresh : s_freshOutage;
        if (Environment.TickCount64 - Volatile.Read(ref _askedAt) < fresh.TotalMilliseconds || Interlocked.Exchange(ref _isAsking, 1) == 1)
        {
            return answers;
        }

        try
        {
            answers = await OpensProbeAsync(cancellation).ConfigureAwait(false);
        }
        catch (ServiceException)
        {
            answers = false;
        }
        finally
        {
            Volatile.Write(ref _isAsking, 0);
        }

        Volatile.Write(ref _answers, answers);
        Volatile.Write(ref _askedAt, Environment.TickCount64);
        return answers;
    }

    public abstract void Dispose();

    /// <summary>Of the configuration, or of what the operator told the service: at the start it keeps its id, with which an operator finds what to correct.</summary>
    protected ServiceException Fault(string what, Exception? cause = null) => new(_fault, $"{_service}: {what}", cause);

    /// <summary>An outage.</summary>
    protected ServiceException Unavailable(string why, Exception? cause = null) => new(KeyEncryptionKey.Unavailable, $"{_service} with the key encryption key does not answer: {why}", cause);

    /// <summary>
    /// What the service says of a fault, while it is opened: it has been given nothing then but what it logs in with. Later its words could repeat a key.
    /// </summary>
    protected string Said(string? text) => _isOpen || string.IsNullOrEmpty(text) ? ""
        : $": {Printable.Of(text.Length <= MostText ? text : $"{text[..MostText]}…")}";

    private static byte[] Digest(string context) => SHA256.HashData(Encoding.UTF8.GetBytes($"assay wrapped key v1\0{context}"));

    private static byte[] Bind(ReadOnlySpan<byte> key, string context) => [.. Digest(context), .. key];

    private async Task<bool> OpensProbeAsync(CancellationToken cancellation)
    {
        var plain = await RunAsync(patience => DecryptAsync(_probe, ProbeContext, patience), cancellation).ConfigureAwait(false);
        return plain is { Length: PlainSize } && CryptographicOperations.FixedTimeEquals(plain.AsSpan(0, SHA256.HashSizeInBytes), Digest(ProbeContext));
    }

    private async Task<T> RunAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(_patience);
        var hasPlace = false;
        try
        {
            await _places.WaitAsync(patience.Token).ConfigureAwait(false);
            hasPlace = true;
            return await work(patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException exception) when (!cancellation.IsCancellationRequested)
        {
            throw Unavailable(string.Create(CultureInfo.InvariantCulture, $"no answer within {_patience.TotalSeconds} seconds"), exception);
        }
        catch (ServiceException exception) when (_isOpen && exception.Id != KeyEncryptionKey.Unavailable)
        {
            throw new ServiceException(KeyEncryptionKey.Unavailable, exception.Message, exception);
        }
        finally
        {
            if (hasPlace)
            {
                _places.Release();
            }
        }
    }
}

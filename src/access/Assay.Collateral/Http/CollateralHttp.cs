using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;

namespace Assay.Collateral.Http;

/// <summary>What came of one or several tries: the whole body of a 200, or why there is none.</summary>
internal sealed record HttpAnswer
{
    public ReadOnlyMemory<byte>? Body { get; private init; }

    /// <summary>The media type of <see cref="Body"/>, for messages; null when it has none.</summary>
    public string? MediaType { get; private init; }

    /// <summary>Null exactly when there is a body. Does not name the URL.</summary>
    public string? WhyNot { get; private init; }

    /// <summary>The status, where one was answered.</summary>
    public HttpStatusCode? Status { get; private init; }

    /// <summary>The type of the problem (RFC 9457) that a refusal brought; null where it brought none.</summary>
    public string? ProblemType { get; private init; }

    /// <summary>Whether the same request may fare better.</summary>
    public bool IsTransient { get; private init; }

    /// <summary>How long the service asks to wait.</summary>
    public TimeSpan? RetryAfter { get; private init; }

    /// <summary>The headers that came with <see cref="Body"/>.</summary>
    public HttpResponseHeaders? Headers { get; private init; }

    public static HttpAnswer Of(ReadOnlyMemory<byte> body, string? mediaType, HttpResponseHeaders headers) =>
        new() { Body = body, MediaType = mediaType, Status = HttpStatusCode.OK, Headers = headers };

    /// <summary>The one value of a header; null when there is none, or several.</summary>
    public string? Header(string name) => Headers is not null && Headers.TryGetValues(name, out var values) && values.Take(2).ToArray() is [var only] ? only : null;

    public static HttpAnswer Refused(HttpStatusCode status, string whyNot, string? problemType = null) => new() { Status = status, WhyNot = whyNot, ProblemType = problemType };

    public static HttpAnswer Final(string whyNot) => new() { WhyNot = whyNot };

    public static HttpAnswer Transient(string whyNot, HttpStatusCode? status = null, TimeSpan? retryAfter = null) =>
        new() { WhyNot = whyNot, Status = status, RetryAfter = retryAfter, IsTransient = true };

    public HttpAnswer After(int tries) => IsTransient && tries > 1 ? this with { WhyNot = $"{WhyNot} (after {tries} tries)" } : this;
}

/// <summary>
/// Asks one service over HTTP: bounded in time and size, no redirects, no cookies, retried where that may help. An outage is a value.
/// </summary>
internal sealed class CollateralHttp : IDisposable
{
    // Bodies of errors are quoted to this length, and read a little further because some of it may not be printable.
    private const int QuotedCharacters = 200;
    private const int QuotedBytes = 1024;
    private const int ProblemBytes = 16 * 1024;
    private const int ProblemDepth = 8;
    private const int ReadBytes = 16 * 1024;
    private const int HeaderKilobytes = 16;
    private const int Connections = 8;
    private const string RepeatsKey = " (its text repeats the service key and is left out)";
    private const double FailureRatio = 0.9;

    private readonly CollateralHttpOptions _options;
    private readonly HttpClient _client;
    private readonly ResiliencePipeline<HttpAnswer> _pipeline;

    public CollateralHttp(ServiceAddress address, CollateralHttpOptions options)
    {
        ArgumentNullException.ThrowIfNull(address);
        ArgumentNullException.ThrowIfNull(options);
        options.ThrowIfUnusable();
        _options = options;
        _client = new HttpClient(Handler(address, options), disposeHandler: true) { Timeout = Timeout.InfiniteTimeSpan };
        _client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("assay", typeof(CollateralHttp).Assembly.GetName().Version?.ToString(3)));
        _pipeline = options is { Retries: 0, BreakAfter: 0 } ? ResiliencePipeline<HttpAnswer>.Empty : Pipeline(options);
    }

    /// <summary>The body of the 200 that is answered, or why there is none. Throws only when cancelled.</summary>
    /// <param name="request">Makes the request anew for every try.</param>
    /// <param name="mostBytes">What the body may have.</param>
    /// <param name="cancellation">The caller's.</param>
    public async Task<HttpAnswer> SendAsync(Func<HttpRequestMessage> request, int mostBytes, CancellationToken cancellation)
    {
        var tries = 0;
        try
        {
            var answer = await _pipeline.ExecuteAsync(
                async token =>
                {
                    tries++;
                    return await TryAsync(request, mostBytes, token).ConfigureAwait(false);
                },
                cancellation).ConfigureAwait(false);
            return answer.After(tries);
        }
        catch (BrokenCircuitException broken)
        {
            return HttpAnswer.Transient($"the service failed too often and will not be asked again for {Seconds(_options.BreakFor)}", retryAfter: broken.RetryAfter ?? _options.BreakFor);
        }
    }

    public void Dispose() => _client.Dispose();

    private static SocketsHttpHandler Handler(ServiceAddress address, CollateralHttpOptions options) => new()
    {
        UseCookies = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = options.ConnectTimeout,
        MaxConnectionsPerServer = Connections,
        MaxResponseHeadersLength = HeaderKilobytes,
        // What is left of a body after its limit is not worth reading: the connection is closed instead.
        MaxResponseDrainSize = 0,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        // Plain http is allowed to this machine itself, so it must not leave it through a proxy.
        UseProxy = !address.IsLoopback,
        Proxy = options.Proxy is { } proxy ? new WebProxy(proxy) : null,
        // Trace ids of the caller are not the service's business.
        ActivityHeadersPropagator = null,
        SslOptions = Tls(options),
    };

    private static SslClientAuthenticationOptions Tls(CollateralHttpOptions options)
    {
        var tls = new SslClientAuthenticationOptions();
        if (!options.TlsRoots.IsDefaultOrEmpty)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.AddRange(options.TlsRoots.ToArray());
            tls.CertificateChainPolicy = policy;
        }

        return tls;
    }

    private static ResiliencePipeline<HttpAnswer> Pipeline(CollateralHttpOptions options)
    {
        var builder = new ResiliencePipelineBuilder<HttpAnswer> { TimeProvider = options.Time };
        if (options.Retries > 0)
        {
            builder.AddRetry(new RetryStrategyOptions<HttpAnswer>
            {
                MaxRetryAttempts = options.Retries,
                ShouldHandle = attempt => ValueTask.FromResult(attempt.Outcome.Result is { IsTransient: true }),
                DelayGenerator = attempt => ValueTask.FromResult<TimeSpan?>(Pause(attempt.AttemptNumber, attempt.Outcome.Result?.RetryAfter, options)),
            });
        }

        if (options.BreakAfter > 0)
        {
            // Inside the retries: each try counts, and none is made while the service is left alone.
            builder.AddCircuitBreaker(new CircuitBreakerStrategyOptions<HttpAnswer>
            {
                FailureRatio = FailureRatio,
                MinimumThroughput = options.BreakAfter,
                SamplingDuration = TimeSpan.FromMinutes(1),
                BreakDuration = options.BreakFor,
                ShouldHandle = attempt => ValueTask.FromResult(attempt.Outcome.Result is { IsTransient: true }),
            });
        }

        return builder.Build();
    }

    // Full jitter: anywhere between nothing and the doubled base, so that a fleet does not come back at the same moment.
    private static TimeSpan Pause(int attempt, TimeSpan? retryAfter, CollateralHttpOptions options)
    {
        if (retryAfter is { } asked)
        {
            return asked < options.LongestDelay ? asked : options.LongestDelay;
        }

        var longest = Math.Min(options.LongestDelay.TotalMilliseconds, options.BaseDelay.TotalMilliseconds * (1 << attempt));
        return TimeSpan.FromMilliseconds(longest * RandomNumberGenerator.GetInt32(1001) / 1000);
    }

    private async Task<HttpAnswer> TryAsync(Func<HttpRequestMessage> make, int mostBytes, CancellationToken cancellation)
    {
        using var timeout = new CancellationTokenSource(_options.RequestTimeout, _options.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, timeout.Token);
        try
        {
            using var request = make();
            _options.ServiceKey?.AddTo(request.Headers, _options.KeyHeader);
            using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token).ConfigureAwait(false);
            if (response.StatusCode is HttpStatusCode.OK)
            {
                return await ReadBodyAsync(response, mostBytes, either.Token).ConfigureAwait(false);
            }

            var refusal = await ReadRefusalAsync(response, either.Token).ConfigureAwait(false);
            cancellation.ThrowIfCancellationRequested();
            return refusal;
        }
        catch (OperationCanceledException)
        {
            cancellation.ThrowIfCancellationRequested();
            return HttpAnswer.Transient(timeout.IsCancellationRequested
                ? $"no complete answer within {Seconds(_options.RequestTimeout)}"
                : $"no connection within {Seconds(_options.ConnectTimeout)}");
        }
        catch (HttpRequestException exception)
        {
            return Failure(exception.HttpRequestError, exception);
        }
        catch (HttpIOException exception)
        {
            return Failure(exception.HttpRequestError, exception);
        }
        catch (IOException exception)
        {
            return HttpAnswer.Transient($"the connection broke: {Innermost(exception)}");
        }
    }

    private static async Task<HttpAnswer> ReadBodyAsync(HttpResponseMessage response, int mostBytes, CancellationToken cancellation)
    {
        if (response.Content.Headers.ContentEncoding.Count > 0)
        {
            return HttpAnswer.Final("the answer is compressed, although that was not requested");
        }

        if (response.Content.Headers.ContentLength is { } declared && declared > mostBytes)
        {
            return HttpAnswer.Final($"the answer has {declared.ToString(CultureInfo.InvariantCulture)} bytes, {mostBytes} are allowed");
        }

        var (bytes, isWhole) = await ReadAsync(response, mostBytes, cancellation).ConfigureAwait(false);
        return isWhole
            ? HttpAnswer.Of(bytes, response.Content.Headers.ContentType?.MediaType, response.Headers)
            : HttpAnswer.Final($"the answer has more than {mostBytes} bytes, which is all that is allowed");
    }

    private async Task<HttpAnswer> ReadRefusalAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        var status = response.StatusCode;
        var number = ((int)status).ToString(CultureInfo.InvariantCulture);
        if ((int)status is >= 300 and < 400)
        {
            return HttpAnswer.Refused(status, $"HTTP {number} redirects to {Target(response)}; redirects are not followed: give that address if you trust it");
        }

        var (said, problemType) = await QuoteAsync(response, cancellation).ConfigureAwait(false);
        var whyNot = $"HTTP {number}{said}";
        return status switch
        {
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden when _options.ServiceKey is null =>
                HttpAnswer.Refused(status, $"{whyNot}: a service key may be needed, none was sent"),
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => HttpAnswer.Refused(status, $"{whyNot}: the service key was not accepted"),
            HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or HttpStatusCode.InternalServerError or HttpStatusCode.BadGateway
                or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout => HttpAnswer.Transient(whyNot, status, RetryAfter(response)),
            _ => HttpAnswer.Refused(status, whyNot, problemType),
        };
    }

    private string Target(HttpResponseMessage response)
    {
        // A Location that is a relative reference by itself may still make no address with the one that was asked.
        var target = response.Headers.Location is { } location && response.RequestMessage?.RequestUri is { } asked && Uri.TryCreate(asked, location, out var joined) ? joined : null;
        return target is null ? "an address that it does not name" : Printable(ServiceAddress.Show(target)) is { Length: > 0 } shown && !Repeats(shown) ? shown : "another address";
    }

    private TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date - _options.Time.GetUtcNow() is { Ticks: > 0 } wait ? wait : TimeSpan.Zero,
        _ => null,
    };

    /// <summary>What a text body says, shortened, cleaned, and never with the key in it: some services repeat what they were sent.</summary>
    private async Task<(string Said, string? ProblemType)> QuoteAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        var type = response.Content.Headers.ContentType?.MediaType ?? "";
        var isText = type.StartsWith("text/", StringComparison.OrdinalIgnoreCase) || type.EndsWith("json", StringComparison.OrdinalIgnoreCase);
        if (!isText || response.Content.Headers.ContentEncoding.Count > 0)
        {
            return ("", null);
        }

        ReadOnlyMemory<byte> bytes;
        try
        {
            (bytes, _) = await ReadAsync(response, IsProblem(type) ? ProblemBytes : QuotedBytes, cancellation).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException or OperationCanceledException)
        {
            // The status is known: it says more than that its text never came.
            return ("", null);
        }

        // The key is looked for in all that is said, and not only in what is shown of it.
        var said = System.Text.Encoding.UTF8.GetString(bytes.Span);
        if (Repeats(said))
        {
            return (RepeatsKey, null);
        }

        var (detail, problemType) = IsProblem(type) ? ProblemOf(bytes) : (null, null);
        var text = Printable(detail ?? said);
        return (text.Length == 0 ? "" : Repeats(text) ? RepeatsKey : $" (\"{text}\")", problemType);
    }

    private static bool IsProblem(string mediaType) => mediaType.Equals("application/problem+json", StringComparison.OrdinalIgnoreCase);

    // RFC 9457: what happened is in detail, and in title where that is all there is. The rest of the object is for machines.
    private static (string? Detail, string? Type) ProblemOf(ReadOnlyMemory<byte> problem)
    {
        try
        {
            using var document = JsonDocument.Parse(problem, new JsonDocumentOptions { MaxDepth = ProblemDepth, AllowDuplicateProperties = false });
            var root = document.RootElement;
            string? Member(string name) => root.ValueKind is JsonValueKind.Object && root.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String && value.GetString() is { Length: > 0 } text ? text : null;
            return (Member("detail") ?? Member("title"), Member("type"));
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // Not JSON, or half a surrogate pair: it is quoted as it came.
            return (null, null);
        }
    }

    private bool Repeats(string text) => _options.ServiceKey?.IsRepeatedIn(text) ?? false;

    private static string Printable(string text) =>
        new string([.. text.Select(character => character is '\r' or '\n' or '\t' ? ' ' : character).Where(character => character is >= ' ' and <= '~').Take(QuotedCharacters)]).Trim();

    /// <summary>At most <paramref name="mostBytes"/>, and whether that was all.</summary>
    private static async Task<(ReadOnlyMemory<byte> Bytes, bool IsWhole)> ReadAsync(HttpResponseMessage response, int mostBytes, CancellationToken cancellation)
    {
        var stream = await response.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            using var body = new MemoryStream();
            var buffer = new byte[ReadBytes];
            while (true)
            {
                // One byte more than allowed tells a body of exactly that size from a larger one.
                var room = Math.Min(buffer.Length, mostBytes + 1 - (int)body.Length);
                var read = await stream.ReadAsync(buffer.AsMemory(0, room), cancellation).ConfigureAwait(false);
                if (read == 0)
                {
                    return (body.ToArray(), true);
                }

                body.Write(buffer, 0, read);
                if (body.Length > mostBytes)
                {
                    return (body.ToArray().AsMemory(0, mostBytes), false);
                }
            }
        }
    }

    private static HttpAnswer Failure(HttpRequestError error, Exception exception) => error switch
    {
        HttpRequestError.NameResolutionError => HttpAnswer.Transient("the host name has no address (DNS)"),
        HttpRequestError.ConnectionError => HttpAnswer.Transient($"no connection: {Innermost(exception)}"),
        HttpRequestError.ProxyTunnelError => HttpAnswer.Transient($"the proxy refused the connection: {Innermost(exception)}"),
        HttpRequestError.ResponseEnded => HttpAnswer.Transient("the service closed the connection before its answer was complete"),
        HttpRequestError.SecureConnectionError => HttpAnswer.Final($"TLS failed: {Innermost(exception)}; if the service has its own CA, give its root"),
        HttpRequestError.ConfigurationLimitExceeded => HttpAnswer.Final($"the answer has more than {HeaderKilobytes} KiB of headers"),
        HttpRequestError.Unknown when exception.InnerException is IOException => HttpAnswer.Transient($"the connection broke: {Innermost(exception)}"),
        _ => HttpAnswer.Final($"the answer is not HTTP: {Innermost(exception)}"),
    };

    // The framework's texts, whose innermost one names the cause. They hold addresses and status words, never headers.
    private static string Innermost(Exception exception) => Printable(exception.GetBaseException().Message).TrimEnd('.');

    private static string Seconds(TimeSpan time) => $"{time.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture)} s";
}

using System.Globalization;
using System.Security.Cryptography;
using Amazon;
using Amazon.KeyManagementService;
using Amazon.KeyManagementService.Model;
using Amazon.Runtime;
using Assay.Collateral.Http;
using Assay.Service.Keys.Remote;

namespace Assay.Service.Keys.Aws;

/// <summary>
/// The back-end <c>awsKms</c>: a symmetric key of AWS KMS, which never leaves it. A wrapped key is KMS's ciphertext blob. The context is the encryption
/// context's member <c>assay-context</c>, which CloudTrail has in the clear and policies can ask for. Decryption always names the key, and the key that the
/// answer names is compared: otherwise KMS decrypts under whatever key the blob names, and a thief wraps under one of his own.
/// </summary>
internal sealed class AwsKmsKeyWrapper : RemoteKeyWrapper
{
    /// <summary>The id of what an operator can correct.</summary>
    public const string FaultId = "service.kek.awskms";

    /// <summary>The member of the encryption context.</summary>
    public const string ContextName = "assay-context";

    private const int MostRetries = 2;

    // Of those with a status below 500: the key or the service is overloaded, or is not reached by the service itself.
    private static readonly string[] s_outages = ["ThrottlingException", "Throttling", "LimitExceededException", "RequestLimitExceeded", "DependencyTimeoutException", "KMSInternalException", "KeyUnavailableException", "RequestTimeout"];

    private readonly AwsKeyArn _key;
    private readonly AwsHttp _http;
    private readonly AmazonKeyManagementServiceClient _client;

    private AwsKmsKeyWrapper(AwsKeyArn key, AwsHttp http, AmazonKeyManagementServiceClient client, TimeSpan patience)
        : base("AWS KMS", FaultId, IdOf("assay awskms kek v1", key.Identity), patience) => (_key, _http, _client) = (key, http, client);

    public override string Mechanism => "awskms-symmetric-default";

    /// <summary>Tries the key.</summary>
    /// <exception cref="ServiceException">Key or credentials are not as they must be, or KMS does not answer.</exception>
    public static async Task<IKeyWrapper> OpenAsync(AwsKmsTerms terms, TimeSpan patience, CancellationToken cancellation)
    {
        var faults = terms.Faults();
        if (faults.Count > 0 || !AwsKeyArn.TryParse(terms.Key, out var key))
        {
            throw new ServiceException(FaultId, $"kek.awsKms: {string.Join("; ", faults)}");
        }

        var endpoint = terms.Endpoint is { } text && ServiceAddress.TryParse(text, out var address, out _) ? address : null;
        var http = new AwsHttp(endpoint is { IsLoopback: true });
        var wrapper = new AwsKmsKeyWrapper(key, http, Client(terms, key, endpoint, http), patience);
        try
        {
            await wrapper.TryAsync(cancellation).ConfigureAwait(false);
            return wrapper;
        }
        catch
        {
            wrapper.Dispose();
            throw;
        }
    }

    public override void Dispose()
    {
        _client.Dispose();
        _http.Dispose();
    }

    protected override async Task<byte[]> EncryptAsync(byte[] plain, string context, CancellationToken cancellation)
    {
        using var input = new MemoryStream(plain);
        var answer = await AskAsync(
            () => _client.EncryptAsync(new EncryptRequest { KeyId = _key.Text, Plaintext = input, EncryptionContext = ContextOf(context) }, cancellation), cancellation).ConfigureAwait(false);
        RequireKey(answer.KeyId);
        var wrapped = answer.CiphertextBlob?.ToArray() ?? [];
        return wrapped.Length is > PlainSize and <= MostWrapped ? wrapped : throw Fault(string.Create(CultureInfo.InvariantCulture, $"a wrapped key has {wrapped.Length} bytes, {PlainSize + 1} to {MostWrapped} are expected"));
    }

    protected override async Task<byte[]?> DecryptAsync(byte[] wrapped, string context, CancellationToken cancellation)
    {
        using var input = new MemoryStream(wrapped);
        DecryptResponse answer;
        try
        {
            answer = await AskAsync(
                () => _client.DecryptAsync(new DecryptRequest { KeyId = _key.Text, CiphertextBlob = input, EncryptionContext = ContextOf(context) }, cancellation), cancellation).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is InvalidCiphertextException or IncorrectKeyException)
        {
            return null;
        }

        var plain = answer.Plaintext?.ToArray() ?? [];
        if (answer.Plaintext is { CanWrite: true } held)
        {
            held.SetLength(0);
            held.Write(new byte[plain.Length]);
        }

        try
        {
            RequireKey(answer.KeyId);
            return plain;
        }
        catch
        {
            CryptographicOperations.ZeroMemory(plain);
            throw;
        }
    }

    private static AmazonKeyManagementServiceClient Client(AwsKmsTerms terms, AwsKeyArn key, ServiceAddress? endpoint, AwsHttp http)
    {
        var configuration = new AmazonKeyManagementServiceConfig
        {
            HttpClientFactory = http,
            AllowAutoRedirect = false,
            MaxErrorRetry = MostRetries,
            RetryMode = RequestRetryMode.Standard,
            // The address is that of the region or the configuration's: a variable of the environment, which is not part of it, could name any.
            IgnoreConfiguredEndpointUrls = true,
        };
        if (endpoint is null)
        {
            configuration.RegionEndpoint = RegionEndpoint.GetBySystemName(key.Region);
        }
        else
        {
            (configuration.ServiceURL, configuration.AuthenticationRegion) = (endpoint.Uri.AbsoluteUri, key.Region);
        }

        return terms.Credentials is { } file ? new AmazonKeyManagementServiceClient(new AwsFileCredentials(file), configuration) : new AmazonKeyManagementServiceClient(configuration);
    }

    private static Dictionary<string, string> ContextOf(string context) => new(StringComparer.Ordinal) { [ContextName] = context };

    private void RequireKey(string? found)
    {
        if (!string.Equals(found, _key.Text, StringComparison.Ordinal))
        {
            throw Fault($"it answers for the key {Assay.Wire.Printable.Of(found is { Length: > 0 and <= 200 } ? found : "(not an ARN)")}, asked was {_key.Text}");
        }
    }

    private async Task<T> AskAsync<T>(Func<Task<T>> ask, CancellationToken cancellation)
    {
        try
        {
            return await ask().ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is InvalidCiphertextException or IncorrectKeyException or ServiceException)
        {
            throw;
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellation.IsCancellationRequested)
        {
            throw Told(exception);
        }
    }

    // The SDK's own exceptions are no cause that is kept: one that cannot read an answer has the whole answer in it.
    private ServiceException Told(Exception exception) => exception switch
    {
        AmazonUnmarshallingException => Fault("its answer is not as documented"),
        AmazonServiceException { ErrorCode: { Length: > 0 and <= 100 } code, StatusCode: var status } fault => (int)status is >= 500 or 429 || s_outages.Contains(code, StringComparer.Ordinal)
            ? Unavailable($"it answers {Assay.Wire.Printable.Of(code)}")
            : Fault($"it answers {Assay.Wire.Printable.Of(code)} for the key {_key.Text}{Said(fault.Message)}"),
        AmazonServiceException { StatusCode: var status } => Unavailable(string.Create(CultureInfo.InvariantCulture, $"status {(int)status}")),
        HttpRequestException or IOException or OperationCanceledException or TimeoutException => Unavailable(Innermost(exception), exception),
        _ when exception.InnerException is HttpRequestException or IOException => Unavailable(Innermost(exception), exception.InnerException),
        // What is left of the SDK's own faults is that it finds no credentials.
        AmazonClientException => Fault($"no request could be made{Said(exception.Message)}"),
        _ => Unavailable(exception.GetType().Name),
    };

    private static string Innermost(Exception exception) => exception.InnerException is HttpRequestException or IOException or System.Net.Sockets.SocketException ? Innermost(exception.InnerException) : exception.Message;
}

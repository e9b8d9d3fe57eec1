using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Assay.Collateral.Http;
using Assay.Service.Keys.Remote;

namespace Assay.Service.Keys.Vault;

/// <summary>
/// The back-end <c>vault</c>: a key of type aes256-gcm96 of the secrets engine transit, which never leaves it. A wrapped key is transit's ciphertext,
/// <c>vault:v&lt;version&gt;:&lt;base64 of nonce[12] ‖ ciphertext ‖ tag[16]&gt;</c>, in its one form: base64 that decodes to the same bytes is refused. The context
/// is transit's <c>associated_data</c>, and within what is encrypted. The id is made of namespace, mount and key, and not of the address, which moves.
/// </summary>
internal sealed partial class VaultKeyWrapper : RemoteKeyWrapper
{
    /// <summary>The id of what an operator can correct.</summary>
    public const string FaultId = "service.kek.vault";

    private const int CipherSize = 12 + PlainSize + 16;

    private readonly VaultTerms _terms;
    private readonly VaultClient _client;
    private readonly VaultLogin _login;

    private VaultKeyWrapper(VaultTerms terms, VaultClient client, TimeSpan patience, TimeProvider clock)
        : base("Vault", FaultId, IdOf("assay vault kek v1", terms.Namespace ?? "", terms.Mount, terms.Key), patience) =>
        (_terms, _client, _login) = (terms, client, new VaultLogin(client, terms, clock, (what, said) => Fault(what + Said(said))));

    public override string Mechanism => "vault-transit-aes256-gcm96";

    /// <summary>Logs in, and tries the key.</summary>
    /// <exception cref="ServiceException">Files, login or key are not as they must be, or Vault does not answer.</exception>
    public static async Task<IKeyWrapper> OpenAsync(VaultTerms terms, TimeSpan patience, TimeProvider clock, CancellationToken cancellation)
    {
        var faults = terms.Faults();
        if (faults.Count > 0 || !ServiceAddress.TryParse(terms.Address, out var address, out _))
        {
            throw new ServiceException(FaultId, $"kek.vault: {string.Join("; ", faults)}");
        }

        var wrapper = new VaultKeyWrapper(terms, new VaultClient(terms, address), patience, clock);
        try
        {
            await wrapper.TryAsync(cancellation).ConfigureAwait(false);
            wrapper._login.Keep();
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
        _login.Dispose();
        _client.Dispose();
    }

    protected override async Task<byte[]> EncryptAsync(byte[] plain, string context, CancellationToken cancellation)
    {
        var answer = await AskAsync("encrypt", new JsonObject { ["plaintext"] = Convert.ToBase64String(plain), ["associated_data"] = AdditionalData(context) }, cancellation).ConfigureAwait(false);
        return answer.Status == 200 && answer.Text("data", "ciphertext") is { } text && IsCiphertext(text) ? Encoding.ASCII.GetBytes(text)
            : answer.Status == 200 ? throw Fault($"what it encrypted is no ciphertext of a key of type aes256-gcm96, {CipherSize} bytes: is the key of another type, or derived?")
            : throw Refused(answer);
    }

    protected override async Task<byte[]?> DecryptAsync(byte[] wrapped, string context, CancellationToken cancellation)
    {
        var text = Encoding.Latin1.GetString(wrapped);
        if (!IsCiphertext(text))
        {
            return null;
        }

        var answer = await AskAsync("decrypt", new JsonObject { ["ciphertext"] = text, ["associated_data"] = AdditionalData(context) }, cancellation).ConfigureAwait(false);
        return answer.Status switch
        {
            200 => Canonical(answer.Text("data", "plaintext")) ?? throw Fault("its answer to decrypt is not as documented"),
            400 => null,
            _ => throw Refused(answer),
        };
    }

    private static string AdditionalData(string context) => Convert.ToBase64String(Encoding.UTF8.GetBytes(context));

    private static bool IsCiphertext(string text) => Form().Match(text) is { Success: true } match && Canonical(match.Groups["bytes"].Value) is { Length: CipherSize };

    // Base64 as it is written, and no other text for the same bytes.
    private static byte[]? Canonical(string? text)
    {
        if (text is null || text.Length > MostWrapped)
        {
            return null;
        }

        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text, bytes, out var written) && Convert.ToBase64String(bytes, 0, written) == text ? bytes[..written] : null;
    }

    private async Task<VaultAnswer> AskAsync(string operation, JsonObject body, CancellationToken cancellation)
    {
        var path = $"{_terms.Mount}/{operation}/{_terms.Key}";
        try
        {
            var token = await _login.TokenAsync(cancellation).ConfigureAwait(false);
            var answer = await _client.PostAsync(path, body, token, cancellation).ConfigureAwait(false);
            if (answer.Status == 403 && await _login.ReplaceAsync(token, cancellation).ConfigureAwait(false) is var next && next != token)
            {
                answer = await _client.PostAsync(path, body, next, cancellation).ConfigureAwait(false);
            }

            return VaultClient.IsNotNow(answer.Status) ? throw Unavailable(string.Create(CultureInfo.InvariantCulture, $"status {answer.Status}{(answer.Status == 503 ? " (sealed, or in maintenance)" : "")}")) : answer;
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException || (exception is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            throw Unavailable(exception.InnerException is System.Security.Authentication.AuthenticationException inner ? inner.Message : exception.Message, exception);
        }
    }

    private ServiceException Refused(VaultAnswer answer) => Fault(string.Create(CultureInfo.InvariantCulture, $"status {answer.Status} for {_terms.Mount}/…/{_terms.Key}") + answer.Status switch
    {
        403 => ": the token is refused, or its policies lack \"update\" on encrypt and decrypt of this key",
        404 => ": no secrets engine is mounted there, or it has no such key",
        _ => "",
    } + Said(answer.Error));

    [GeneratedRegex(@"\Avault:v[1-9][0-9]{0,8}:(?<bytes>[A-Za-z0-9+/]{1,200}={0,2})\z", RegexOptions.CultureInvariant)]
    private static partial Regex Form();
}

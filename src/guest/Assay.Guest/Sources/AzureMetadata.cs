using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Assay.Guest.Sources;

/// <summary>
/// The metadata service of Azure's hosts, for what a confidential VM cannot make itself: <c>GET /metadata/THIM/amd/certification</c> with
/// <c>Metadata: true</c> answers <c>{"vcekCert":PEM,…}</c>, and <c>POST /acc/tdquote</c> of <c>{"report":base64url}</c> answers <c>{"quote":base64url}</c>.
/// It is the host's word, in plain HTTP: what it says is judged by the verifier, and no verdict needs it to be honest. It is asked without the proxy that an
/// environment names: the guest reads none (S-30).
/// </summary>
/// <param name="endpoint">Where it is.</param>
internal sealed class AzureMetadata(string endpoint = "http://169.254.169.254")
{
    private const int LargestAnswer = 64 * 1024;
    private const int DerSequence = 0x30;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    /// <summary>The certificate of the chip's key, DER.</summary>
    /// <exception cref="GuestException"><c>source.azure.metadata</c>: it cannot be fetched.</exception>
    public byte[] Vcek()
    {
        var request = new HttpRequestMessage(HttpMethod.Get, $"{endpoint}/metadata/THIM/amd/certification");
        request.Headers.Add("Metadata", "true");
        var pem = Ask(request, "vcekCert");
        return PemEncoding.TryFind(pem, out var fields) && pem.AsSpan(fields.Label) is "CERTIFICATE" && Convert.FromBase64String(pem[fields.Base64Data]) is [DerSequence, ..] certificate ? certificate
            : throw Failed("vcekCert is no certificate in PEM");
    }

    /// <summary>The TD quote over a TDREPORT of this VM.</summary>
    /// <param name="report">The TDREPORT, 1,024 bytes.</param>
    /// <exception cref="GuestException"><c>source.azure.metadata</c>: it cannot be fetched.</exception>
    public byte[] TdQuote(ReadOnlySpan<byte> report)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"{endpoint}/acc/tdquote")
        {
            Content = new StringContent($"{{\"report\":\"{Base64Url.EncodeToString(report)}\"}}", Encoding.UTF8, "application/json"),
        };
        var quote = Ask(request, "quote").TrimEnd('=');
        return Base64Url.IsValid(quote) ? Base64Url.DecodeFromChars(quote) : throw Failed("quote is not base64url");
    }

    private static string Ask(HttpRequestMessage request, string member)
    {
        using var handler = new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false };
        using var client = new HttpClient(handler) { Timeout = s_patience, MaxResponseContentBufferSize = LargestAnswer };
        try
        {
            using var sent = request;
            using var answer = client.Send(sent);
            if (answer.StatusCode is not HttpStatusCode.OK)
            {
                throw Failed(string.Create(CultureInfo.InvariantCulture, $"it answered with {(int)answer.StatusCode}"));
            }

            using var content = answer.Content.ReadAsStream();
            using var document = JsonDocument.Parse(content, new JsonDocumentOptions { MaxDepth = 4, AllowDuplicateProperties = false });
            return document.RootElement.ValueKind is JsonValueKind.Object && document.RootElement.TryGetProperty(member, out var value) && value.GetString() is { } text ? text
                : throw Failed($"its answer has no {member}");
        }
        // A text that is no text is an InvalidOperationException of the reader's.
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException or IOException or JsonException or InvalidOperationException)
        {
            throw Failed(exception.Message);
        }
    }

    private static GuestException Failed(string reason) => new("source.azure.metadata", $"the metadata service: {reason}", "let this VM reach http://169.254.169.254");
}

using System.Collections.Immutable;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Endorsements;
using Assay.Reference;
using Assay.Wire;

namespace Assay.Collateral.Http;

/// <summary>
/// NVIDIA's RIM service, or a proxy with the same shape: <c>GET {base}/v1/rim/{id}</c> with
/// <c>{"id","rim":base64,"sha256":hex,"rim_format":"TCG"}</c>, and <c>GET {base}/v1/rim/ids</c> with <c>{"ids":[…]}</c>.
/// Its digest finds broken proxies, nothing more: trust comes from the RIM's own signature.
/// </summary>
public sealed class RimServiceClient : ICollateralSource, IDisposable
{
    /// <summary>A RIM in base64, and room for the other members: newer services add a second form of the same content.</summary>
    private const int MostAnswerBytes = (Limits.RimBytes + 2) / 3 * 4 + 512 * 1024;

    /// <summary>A list of some thousand ids takes a tenth of a megabyte.</summary>
    private const int MostListBytes = 8 * 1024 * 1024;

    private const int MostIds = 100_000;
    private const int JsonDepth = 8;

    /// <summary>The problem's type of a RIM that the operator of a proxy withholds (assay collateral stage).</summary>
    private const string Withheld = "urn:assay:collateral-withheld";

    private static readonly JsonDocumentOptions s_json = new() { MaxDepth = JsonDepth, AllowDuplicateProperties = false };

    private readonly ServiceAddress _base;
    private readonly CollateralHttp _http;

    /// <summary>Asks the service at this address. A query in it is left out.</summary>
    public RimServiceClient(ServiceAddress baseAddress, CollateralHttpOptions options)
    {
        _http = new CollateralHttp(baseAddress, options);
        _base = baseAddress;
    }

    /// <summary>NVIDIA's service.</summary>
    public static ServiceAddress NvidiaBaseAddress { get; } = ServiceAddress.Known("https://rim.attestation.nvidia.com");

    /// <inheritdoc/>
    public async Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(question);
        var id = question.Key.Id;
        if (question.Key.Kind is not CollateralKind.Rim)
        {
            return Fetched.Absent("", "a RIM service has only RIMs");
        }

        // The id follows from what a device said: it must stay one segment of the URL.
        if (!RimIds.IsSafe(id))
        {
            return Fetched.Failed("", "the id is not a valid URL segment");
        }

        var uri = _base.Below($"/v1/rim/{id}");
        var answer = await _http.SendAsync(() => Get(uri), MostAnswerBytes, cancellation).ConfigureAwait(false);
        ReadOnlyMemory<byte> rim = default;
        var whyNot = answer is { Status: HttpStatusCode.NotFound, ProblemType: Withheld } ? $"the service withholds RIM {id}: its operator has not promoted it for this pool of machines (assay collateral list, promote); {answer.WhyNot}"
            : answer.Status is HttpStatusCode.NotFound ? $"the service has no RIM {id}: new firmware, or an id that was never published; ask again later, or compare with the ids that it lists"
            : answer.Body is { } body ? ReadRim(body, answer.MediaType, id, out rim)
            : answer.WhyNot;
        var source = _base.ToString();
        return whyNot is null ? Fetched.Item(source, rim)
            : answer.Status is HttpStatusCode.NotFound ? Fetched.Absent(source, $"{ServiceAddress.Show(uri)}: {whyNot}")
            : Fetched.Failed(source, $"{ServiceAddress.Show(uri)}: {whyNot}");
    }

    /// <inheritdoc/>
    public async Task<ImmutableArray<string>> ListRimsAsync(CancellationToken cancellation)
    {
        var answer = await _http.SendAsync(() => Get(_base.Below("/v1/rim/ids")), MostListBytes, cancellation).ConfigureAwait(false);
        using var document = answer.Body is { } body ? Read(body) : null;
        var isList = document?.RootElement.ValueKind is JsonValueKind.Object
            && document.RootElement.TryGetProperty("ids", out var ids) && ids.ValueKind is JsonValueKind.Array && ids.GetArrayLength() <= MostIds;
        return isList
            ? [.. document!.RootElement.GetProperty("ids").EnumerateArray().Select(Text).OfType<string>().Where(RimIds.IsSafe).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)]
            : [];
    }

    /// <summary>Closes its connections.</summary>
    public void Dispose() => _http.Dispose();

    private static HttpRequestMessage Get(Uri uri)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, uri);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        return request;
    }

    private static string? ReadRim(ReadOnlyMemory<byte> json, string? mediaType, string id, out ReadOnlyMemory<byte> rim)
    {
        rim = default;
        using var document = Read(json);
        if (document is not { RootElement: { ValueKind: JsonValueKind.Object } root })
        {
            return $"the answer is not a JSON object{(mediaType is null or "application/json" ? "" : $" but {mediaType}")}: check the URL";
        }

        if (Member(root, "id") != id)
        {
            return "the answer is about another id";
        }

        if (root.TryGetProperty("rim_format", out var format) && Text(format) is not "TCG")
        {
            return Text(format) is "CORIM" ? "the service has it as CoRIM only, which this version does not support" : "rim_format: \"TCG\" is expected";
        }

        if (Member(root, "rim") is not { } base64 || !StrictBase64.TryDecode(Encoding.UTF8.GetBytes(base64), out var bytes))
        {
            return "rim: canonical base64 is expected";
        }

        rim = bytes;
        return bytes.Length == 0 ? "rim: empty"
            : bytes.Length > Limits.RimBytes ? $"rim: larger than {Limits.RimBytes} bytes"
            : IsDigestOf(Member(root, "sha256"), bytes, base64) ? null
            : "sha256 does not match rim: the service, or a proxy in front of it, corrupted the file";
    }

    // Leniency: no document says whether the service hashes the file or its base64 text, and NVIDIA's client ignores the member. It only
    // tells a spoilt transfer early; belief comes from the RIM's own signature.
    private static bool IsDigestOf(string? sha256, ReadOnlySpan<byte> file, string base64) =>
        Convert.ToHexString(SHA256.HashData(file)).Equals(sha256, StringComparison.OrdinalIgnoreCase)
        || Convert.ToHexString(SHA256.HashData(Encoding.ASCII.GetBytes(base64))).Equals(sha256, StringComparison.OrdinalIgnoreCase);

    private static JsonDocument? Read(ReadOnlyMemory<byte> json)
    {
        try
        {
            return JsonDocument.Parse(json, s_json);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // The latter for names with half a surrogate pair, which cannot be compared.
            return null;
        }
    }

    private static string? Member(JsonElement element, string name) => element.TryGetProperty(name, out var value) ? Text(value) : null;

    private static string? Text(JsonElement value)
    {
        try
        {
            return value.ValueKind is JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            // Half a surrogate pair is JSON, and no text.
            return null;
        }
    }
}

using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Collateral.Http;

/// <summary>
/// Where a service is asked: https, or http on this machine itself, without credentials or fragment. Its text leaves out the query,
/// which may carry a token.
/// </summary>
public sealed class ServiceAddress : IEquatable<ServiceAddress>
{
    private const int MostCharacters = 2048;

    // Of the RIM service, of Intel's and of AMD's.
    private static readonly string[] s_paths = ["/v1/rim/ids", "/v1/rim", "/sgx/certification/v4", "/tdx/certification/v4", "/vcek/v1", "/vlek/v1"];

    private ServiceAddress(Uri uri) => Uri = uri;

    /// <summary>The whole address.</summary>
    public Uri Uri { get; }

    /// <summary>Whether it is on this machine: a numeric loopback address, or the name localhost.</summary>
    public bool IsLoopback => Uri.IsLoopback;

    /// <summary>Reads an absolute URL.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out ServiceAddress? address, [NotNullWhen(false)] out ParseFault? fault)
    {
        fault = WhyNot(text, out var uri);
        address = fault is null ? new ServiceAddress(uri!) : null;
        return address is not null;
    }

    /// <inheritdoc/>
    public bool Equals(ServiceAddress? other) => other is not null && Uri.Equals(other.Uri);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ServiceAddress);

    /// <inheritdoc/>
    public override int GetHashCode() => Uri.GetHashCode();

    /// <summary>Scheme, host, port and path.</summary>
    public override string ToString() => Show(Uri);

    internal static string Show(Uri uri) => uri.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped).TrimEnd('/');

    /// <summary>
    /// A path below this address, of segments that need no escaping. An address that was copied with the service's own path at its end, as
    /// documentation shows it, means the same as one without.
    /// </summary>
    internal Uri Below(string path)
    {
        var start = Uri.GetLeftPart(UriPartial.Path).TrimEnd('/');
        var tail = Array.Find(s_paths, known => start.EndsWith(known, StringComparison.Ordinal)) ?? "";
        return new Uri(start[..^tail.Length] + path);
    }

    internal static ServiceAddress Known(string text) => TryParse(text, out var address, out var fault) ? address : throw new ArgumentException(fault.ToString(), nameof(text));

    private static ParseFault? WhyNot(string? text, out Uri? uri)
    {
        uri = null;
        return string.IsNullOrEmpty(text) ? new ParseFault("URL", 0, "empty")
            : text.Length > MostCharacters ? new ParseFault("URL", MostCharacters, $"longer than {MostCharacters} characters")
            : !Uri.TryCreate(text, UriKind.Absolute, out uri) || uri.Scheme is not ("https" or "http") ? new ParseFault("URL", 0, "an absolute URL is expected, for example https://host/path")
            : uri.UserInfo.Length > 0 ? new ParseFault("URL", 0, "a URL must not contain user and password, because URLs are logged: use a service key")
            : uri.Fragment.Length > 0 ? new ParseFault("URL", 0, "a fragment is never sent: leave out what follows \"#\"")
            : uri.Scheme is "http" && !uri.IsLoopback ? new ParseFault("URL", 0, $"plain http to {uri.IdnHost} can be read and changed on the way: use https")
            : null;
    }
}

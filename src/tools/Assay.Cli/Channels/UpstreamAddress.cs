using System.Diagnostics.CodeAnalysis;

namespace Assay.Cli.Channels;

/// <summary>The server at the other end of channels.</summary>
/// <param name="Host">A name or an address.</param>
/// <param name="Port">Its port.</param>
/// <param name="IsHttp">Whether HTTP is spoken inside the channels, or bytes of any protocol are passed.</param>
internal sealed record UpstreamAddress(string Host, int Port, bool IsHttp)
{
    public const string Forms = "https://HOST:PORT or tcp://HOST:PORT";

    private const string HttpScheme = "https";
    private const string TcpScheme = "tcp";

    /// <summary>Host and port as a URL has them.</summary>
    public string Authority => $"{(Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host)}:{Port}";

    public static bool TryParse(string text, [NotNullWhen(true)] out UpstreamAddress? address)
    {
        var isSound = Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is HttpScheme or TcpScheme && uri.Port > 0 && uri.IdnHost.Length > 0
            && uri.UserInfo.Length == 0 && uri.AbsolutePath is "/" or "" && uri.Query.Length == 0 && uri.Fragment.Length == 0;
        address = isSound ? new UpstreamAddress(uri!.IdnHost.Trim('[', ']'), uri.Port, uri.Scheme is HttpScheme) : null;
        return isSound;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{(IsHttp ? HttpScheme : TcpScheme)}://{Authority}";
}

using System.Collections.Immutable;
using System.CommandLine;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Assay.Collateral.Http;
using Assay.Collateral.Upstreams;

namespace Assay.Cli.Collateral;

/// <summary>The options that say whom to ask for collateral, shared by every command that fetches some.</summary>
internal sealed class UpstreamArguments
{
    private const string OfIntelUrl = "pccs";

    public Option<string> RimUrl { get; } = ServiceWords.WithDefault("--rim-url", "RIM service", ServiceWords.Nvidia);

    public Option<string> OcspUrl { get; } = ServiceWords.WithDefault("--ocsp-url", "OCSP responder", ServiceWords.Nvidia);

    public Option<string> CrlUrl { get; } = ServiceWords.WithDefault("--crl-url", "where NVIDIA's revocation lists are", ServiceWords.Nvidia);

    public Option<string> IntelUrl { get; } = ServiceWords.WithDefault("--intel-url", "Intel's PCS, or a PCCS", ServiceWords.Intel);

    public Option<string> IntelRootCrlUrl { get; } = ServiceWords.WithDefault("--intel-root-crl-url", $"the list of Intel's root; {OfIntelUrl}: that of --intel-url", ServiceWords.Intel);

    public Option<string> AmdUrl { get; } = ServiceWords.WithDefault("--amd-url", "AMD's KDS", ServiceWords.Amd);

    public Option<string[]> KeySets { get; } = new("--jwks")
    {
        Description = "a token issuer whose keys to keep, served as /v1/jwks/NAME",
        HelpName = "NAME=URL",
        AllowMultipleArgumentsPerToken = true,
    };

    public Option<string?> ServiceKey { get; } = new("--service-key") { Description = "file with NVIDIA's service key", HelpName = "FILE" };

    public Option<string?> IntelKey { get; } = new("--intel-key") { Description = "file with Intel's key for PCK certificates", HelpName = "FILE" };

    public Option<string?> CaFile { get; } = new("--ca-file") { Description = "PEM roots that certify the upstreams, instead of this machine's", HelpName = "FILE" };

    public Option<string?> Proxy { get; } = new("--proxy") { Description = "ask the upstreams through this proxy", HelpName = "URL" };

    public Option<bool> Offline { get; } = new("--offline") { Description = "ask no service: whatever is not held locally is missing" };

    public IEnumerable<Option> All => [.. Addresses, KeySets, ServiceKey, IntelKey, CaFile, Proxy, Offline];

    /// <summary>Those that serve evidence of one kind alone.</summary>
    public IEnumerable<(Option Option, EvidenceKinds Of)> ByEvidence =>
    [
        (RimUrl, EvidenceKinds.Devices), (OcspUrl, EvidenceKinds.Devices), (ServiceKey, EvidenceKinds.Devices),
        (IntelUrl, EvidenceKinds.Tdx), (IntelRootCrlUrl, EvidenceKinds.Tdx), (IntelKey, EvidenceKinds.Tdx), (AmdUrl, EvidenceKinds.Snp),
    ];

    private IEnumerable<Option<string>> Addresses => [RimUrl, OcspUrl, CrlUrl, IntelUrl, IntelRootCrlUrl, AmdUrl];

    /// <summary>Whom to ask, and how.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="refuse">Takes id and message of each fault.</param>
    /// <param name="keys">Takes the secrets that were read, which the caller disposes.</param>
    public UpstreamOptions Read(ParseResult parsed, Action<string, string> refuse, List<SecretText> keys)
    {
        if (parsed.GetValue(Offline) && Addresses.FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false } && parsed.GetValue(option) is not ServiceWords.None) is { } given)
        {
            refuse("cli.url", $"--offline asks no service, and {given.Name} names one: give one of them");
        }

        return new Reader(this, parsed, refuse, keys).Upstreams();
    }

    private sealed class Reader(UpstreamArguments options, ParseResult parsed, Action<string, string> refuse, List<SecretText> keys)
    {
        private const int MostPemBytes = 256 * 1024;

        public UpstreamOptions Upstreams()
        {
            var known = UpstreamOptions.Manufacturers;
            var rootCrl = parsed.GetValue(options.IntelRootCrlUrl);
            var http = new CollateralHttpOptions { BreakAfter = known.Http.BreakAfter, TlsRoots = Roots(), Proxy = ProxyAddress(), ServiceKey = Key(options.ServiceKey) };
            return new UpstreamOptions
            {
                Rim = Url(options.RimUrl, ServiceWords.Nvidia, known.Rim),
                Ocsp = Url(options.OcspUrl, ServiceWords.Nvidia, known.Ocsp),
                Crl = Url(options.CrlUrl, ServiceWords.Nvidia, known.Crl),
                Intel = Url(options.IntelUrl, ServiceWords.Intel, known.Intel),
                IntelRootCrl = rootCrl is OfIntelUrl ? null : Url(options.IntelRootCrlUrl, ServiceWords.Intel, known.IntelRootCrl),
                OmitIntelRootCrl = rootCrl is ServiceWords.None,
                Amd = Url(options.AmdUrl, ServiceWords.Amd, known.Amd),
                KeySets = KeySets(),
                Http = http,
                IntelKey = Key(options.IntelKey),
                WhyNotConfigured = "no upstream is configured for it (--offline, or none as its address)",
            };
        }

        private ServiceAddress? Url(Option<string> option, string word, ServiceAddress? manufacturer) =>
            parsed.GetValue(options.Offline) ? null : ServiceWords.Read(option.Name, parsed.GetValue(option)!, word, manufacturer, refuse);

        private ImmutableDictionary<string, ServiceAddress> KeySets()
        {
            var sets = ImmutableDictionary<string, ServiceAddress>.Empty;
            foreach (var text in parsed.GetValue(options.KeySets) ?? [])
            {
                var mark = text.IndexOf('=', StringComparison.Ordinal);
                var name = mark > 0 ? text[..mark] : "";
                if (name.Length is 0 or > 64 || !name.All(character => char.IsAsciiLetterOrDigit(character) || character is '-' or '_' or '.'))
                {
                    refuse("cli.url", $"--jwks: NAME=URL is expected, a name of letters, digits and - _ ., found {text}");
                }
                else if (!ServiceAddress.TryParse(text[(mark + 1)..], out var address, out var fault))
                {
                    refuse("cli.url", $"--jwks: {fault.Problem}");
                }
                else
                {
                    sets = sets.SetItem(name, address);
                }
            }

            return sets;
        }

        private SecretText? Key(Option<string?> option)
        {
            if (parsed.GetValue(option) is not { } file)
            {
                return null;
            }

            const int most = 8192;
            if (!InputFile.TryRead(file, most, out var bytes, out var whyNot))
            {
                refuse("cli.file", whyNot);
                return null;
            }

            var characters = new char[bytes.Length];
            try
            {
                var length = Encoding.ASCII.GetChars(bytes, characters);
                if (SecretText.TryCreate(characters.AsSpan(0, length).TrimEnd("\r\n"), out var key, out var fault))
                {
                    keys.Add(key);
                    return key;
                }

                refuse("cli.service-key", $"{option.Name}: {file}: {fault.Problem}");
                return null;
            }
            finally
            {
                CryptographicOperations.ZeroMemory(bytes);
                Array.Clear(characters);
            }
        }

        private Uri? ProxyAddress()
        {
            if (parsed.GetValue(options.Proxy) is not { } text)
            {
                return null;
            }

            if (Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.UserInfo.Length == 0)
            {
                return uri;
            }

            refuse("cli.url", "--proxy: an absolute http or https URL without user and password is expected");
            return null;
        }

        private ImmutableArray<X509Certificate2> Roots()
        {
            if (parsed.GetValue(options.CaFile) is not { } file)
            {
                return [];
            }

            var roots = new X509Certificate2Collection();
            if (!InputFile.TryRead(file, MostPemBytes, out var bytes, out var whyNot))
            {
                refuse("cli.file", whyNot);
                return [];
            }

            try
            {
                roots.ImportFromPem(Encoding.ASCII.GetString(bytes));
            }
            catch (CryptographicException)
            {
                roots.Clear();
            }

            if (roots.Count == 0)
            {
                refuse("cli.ca-file", $"--ca-file: {file} has no certificate in PEM");
            }

            return [.. roots];
        }
    }
}

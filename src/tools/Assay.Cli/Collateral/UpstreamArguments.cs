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
    public const string Nobody = "none";

    public Option<string> RimUrl { get; } = Url("--rim-url", "RIM service", "nvidia");

    public Option<string> OcspUrl { get; } = Url("--ocsp-url", "OCSP responder", "nvidia");

    public Option<string> CrlUrl { get; } = Url("--crl-url", "where NVIDIA's revocation lists are", "nvidia");

    public Option<string> IntelUrl { get; } = Url("--intel-url", "Intel's PCS, or a PCCS", "intel");

    public Option<string> IntelRootCrlUrl { get; } = Url("--intel-root-crl-url", "the list of Intel's root; pccs: that of --intel-url", "intel");

    public Option<string> AmdUrl { get; } = Url("--amd-url", "AMD's KDS", "amd");

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

    public Option<bool> Offline { get; } = new("--offline") { Description = "ask nobody: what is not at hand is missing" };

    public IEnumerable<Option> All => [.. Addresses, KeySets, ServiceKey, IntelKey, CaFile, Proxy, Offline];

    private IEnumerable<Option<string>> Addresses => [RimUrl, OcspUrl, CrlUrl, IntelUrl, IntelRootCrlUrl, AmdUrl];

    /// <summary>Whom to ask, and how.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="refuse">Takes id and message of each fault.</param>
    /// <param name="keys">Takes the secrets that were read, which the caller disposes.</param>
    public UpstreamOptions Read(ParseResult parsed, Action<string, string> refuse, List<SecretText> keys)
    {
        if (parsed.GetValue(Offline) && Addresses.FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false }) is { } given)
        {
            refuse("cli.url", $"--offline asks nobody, and {given.Name} names somebody: give one of them");
        }

        return new Reader(this, parsed, refuse, keys).Upstreams();
    }

    private static Option<string> Url(string name, string what, string manufacturer) => new(name)
    {
        Description = $"{what}; {manufacturer} names the manufacturer's, none asks nobody",
        HelpName = "URL",
        DefaultValueFactory = _ => manufacturer,
    };

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
                Rim = Url(options.RimUrl, "nvidia", known.Rim),
                Ocsp = Url(options.OcspUrl, "nvidia", known.Ocsp),
                Crl = Url(options.CrlUrl, "nvidia", known.Crl),
                Intel = Url(options.IntelUrl, "intel", known.Intel),
                IntelRootCrl = rootCrl == "pccs" && !parsed.GetValue(options.Offline) ? null : Url(options.IntelRootCrlUrl, "intel", known.IntelRootCrl),
                Amd = Url(options.AmdUrl, "amd", known.Amd),
                KeySets = KeySets(),
                Http = http,
                IntelKey = Key(options.IntelKey),
                WhyNotConfigured = "no upstream is configured for it (--offline, or none as its address)",
            };
        }

        private ServiceAddress? Url(Option<string> option, string word, ServiceAddress? manufacturer)
        {
            var text = parsed.GetValue(options.Offline) ? Nobody : parsed.GetValue(option)!;
            if (text == word || text == Nobody)
            {
                return text == word ? manufacturer : null;
            }

            if (!ServiceAddress.TryParse(text, out var address, out var fault))
            {
                refuse("cli.url", $"{option.Name}: {fault.Problem}; {word} names the manufacturer's, {Nobody} asks nobody");
            }

            return address;
        }

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

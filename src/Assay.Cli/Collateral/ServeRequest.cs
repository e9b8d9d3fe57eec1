using System.Collections.Immutable;
using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Assay.Collateral;
using Assay.Collateral.Proxy;
using Assay.Evidence;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Cli.Collateral;

/// <summary>A command line of <c>assay collateral serve</c> that makes sense, with its files read. All of its faults are found before one is reported.</summary>
internal sealed class ServeRequest : IDisposable
{
    private const string Nobody = "none";

    private readonly List<SecretText> _keys = [];

    private ServeRequest()
    {
    }

    public required ProxyOptions Proxy { get; init; }
    public required UpstreamOptions Upstreams { get; init; }
    public required CachePolicy Policy { get; init; }
    public required TrustSet Trust { get; init; }
    public required string? Folder { get; init; }

    /// <summary>PEM chains of devices.</summary>
    public required ImmutableArray<(string Source, ReadOnlyMemory<byte> Pem)> Chains { get; init; }

    public static bool TryRead(ServeOptions options, ParseResult parsed, [NotNullWhen(true)] out ServeRequest? request, out ImmutableArray<(string Id, string Message)> faults)
    {
        var reader = new Reader(options, parsed);
        var trust = reader.Trust();
        var (proxy, upstreams, chains, folder) = (reader.Proxy(trust), reader.Upstreams(), reader.Chains(), reader.Folder());
        request = new ServeRequest
        {
            Proxy = proxy,
            Upstreams = upstreams,
            Trust = trust,
            Folder = folder,
            Chains = chains,
            Policy = reader.Policy(),
        };
        request._keys.AddRange(reader.Keys);
        faults = [.. reader.Faults];
        if (!faults.IsEmpty)
        {
            request.Dispose();
            request = null;
        }

        return request is not null;
    }

    public void Dispose()
    {
        foreach (var key in _keys)
        {
            key.Dispose();
        }

        Proxy.Certificate?.Dispose();
    }

    private sealed class Reader(ServeOptions options, ParseResult parsed)
    {
        private const int MostPemBytes = 256 * 1024;
        private const string Staged = "+staged";

        public List<(string Id, string Message)> Faults { get; } = [];

        public List<SecretText> Keys { get; } = [];

        public TrustSet Trust()
        {
            if (parsed.GetValue(options.Anchors) is not { } file)
            {
                return TrustSet.BuiltIn;
            }

            if (!InputFile.TryRead(file, MostPemBytes, out var bytes, out var whyNot))
            {
                Refuse("cli.file", whyNot);
            }
            else if (TrustSet.TryParse(bytes, out var trust, out var fault))
            {
                return trust;
            }
            else
            {
                Refuse("anchors.malformed", $"{file}: {fault}");
            }

            return TrustSet.BuiltIn;
        }

        public ProxyOptions Proxy(TrustSet trust)
        {
            var (listen, pools) = Listeners();
            if (trust.Kind is TrustSetKind.Simulated && listen.Any(address => !IPAddress.IsLoopback(address.Address)))
            {
                Refuse("cli.listen", "--listen: what simulated devices rest on is served on loopback alone, for example 127.0.0.1:8093");
            }

            return new ProxyOptions
            {
                Listen = listen,
                Pools = pools,
                Certificate = Certificate(),
                Nonce = parsed.GetValue(options.Nonce) == "forward" ? OcspNonceMode.Forward : OcspNonceMode.Cached,
                Rate = Number(options.Rate, 0, 1_000_000),
                Concurrency = Number(options.Concurrency, 1, 100_000),
            };
        }

        // ADDRESS, ADDRESS=POOL, ADDRESS=POOL+staged.
        private (ImmutableArray<IPEndPoint> Listen, ImmutableDictionary<int, PoolView> Pools) Listeners()
        {
            var (listen, pools) = (ImmutableArray.CreateBuilder<IPEndPoint>(), ImmutableDictionary<int, PoolView>.Empty);
            foreach (var text in parsed.GetValue(options.Listen) ?? [])
            {
                var (place, pool) = text.Split('=', 2) is [var before, var after] ? (before, after) : (text, null);
                var staged = pool?.EndsWith(Staged, StringComparison.Ordinal) ?? false;
                var name = staged ? pool![..^Staged.Length] : pool;
                if (!IPEndPoint.TryParse(place, out var address) || !place.EndsWith($":{address.Port}", StringComparison.Ordinal))
                {
                    Refuse("cli.listen", $"--listen: an address and a port are expected, for example 127.0.0.1:8093, found {text}");
                }
                else if (name is not null && !RimPool.IsName(name))
                {
                    Refuse("cli.listen", $"--listen: a pool is named by letters, digits and - _ ., for example 127.0.0.1:8093=canary or =canary{Staged}, found {text}");
                }
                else
                {
                    pools = name is null ? pools : pools.Add(listen.Count, new PoolView(name, staged));
                    listen.Add(address);
                }
            }

            return (listen.ToImmutable(), pools);
        }

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
                IntelRootCrl = rootCrl == "pccs" ? null : Url(options.IntelRootCrlUrl, "intel", known.IntelRootCrl),
                Amd = Url(options.AmdUrl, "amd", known.Amd),
                KeySets = KeySets(),
                Http = http,
                IntelKey = Key(options.IntelKey),
            };
        }

        public CachePolicy Policy()
        {
            var hours = Number(options.MostStaleHours, -1, 24 * 365);
            return new CachePolicy
            {
                MostStale = hours < 0 ? null : TimeSpan.FromHours(hours),
                MostEntries = Number(options.MostEntries, 1, 10_000_000),
                MostBytes = Number(options.MostMegabytes, 1, 10_000_000) * 1024L * 1024,
            };
        }

        public string? Folder()
        {
            var folder = parsed.GetValue(options.Cache);
            if (folder is not null && File.Exists(folder))
            {
                Refuse("cli.folder", $"--cache: {folder} is a file, a folder is expected");
            }

            return folder;
        }

        public ImmutableArray<(string Source, ReadOnlyMemory<byte> Pem)> Chains()
        {
            var chains = ImmutableArray.CreateBuilder<(string, ReadOnlyMemory<byte>)>();
            foreach (var file in parsed.GetValue(options.Learn) ?? [])
            {
                if (!InputFile.TryRead(file, Limits.EvidenceFileBytes, out var bytes, out var whyNot))
                {
                    Refuse("cli.file", whyNot);
                }
                else if (bytes.AsSpan().StartsWith("-----BEGIN"u8))
                {
                    chains.Add((file, bytes));
                }
                else if (EvidenceFile.TryParse(bytes, InputFile.NameOf(file), out var devices, out var fault))
                {
                    chains.AddRange(devices.Select(device => (device.Source, device.Chain)));
                }
                else
                {
                    Refuse("evidence.malformed", $"{file}: {fault}");
                }
            }

            return chains.ToImmutable();
        }

        private ServiceAddress? Url(Option<string> option, string word, ServiceAddress? manufacturer)
        {
            var text = parsed.GetValue(option)!;
            if (text == word || text == Nobody)
            {
                return text == word ? manufacturer : null;
            }

            if (!ServiceAddress.TryParse(text, out var address, out var fault))
            {
                Refuse("cli.url", $"{option.Name}: {fault.Problem}; {word} names the manufacturer's, {Nobody} asks nobody");
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
                    Refuse("cli.url", $"--jwks: NAME=URL is expected, a name of letters, digits and - _ ., found {text}");
                }
                else if (!ServiceAddress.TryParse(text[(mark + 1)..], out var address, out var fault))
                {
                    Refuse("cli.url", $"--jwks: {fault.Problem}");
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
                Refuse("cli.file", whyNot);
                return null;
            }

            var characters = new char[bytes.Length];
            try
            {
                var length = Encoding.ASCII.GetChars(bytes, characters);
                if (SecretText.TryCreate(characters.AsSpan(0, length).TrimEnd("\r\n"), out var key, out var fault))
                {
                    Keys.Add(key);
                    return key;
                }

                Refuse("cli.service-key", $"{option.Name}: {file}: {fault.Problem}");
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

            Refuse("cli.url", "--proxy: an absolute http or https URL without user and password is expected");
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
                Refuse("cli.file", whyNot);
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
                Refuse("cli.ca-file", $"--ca-file: {file} has no certificate in PEM");
            }

            return [.. roots];
        }

        private X509Certificate2? Certificate()
        {
            var (file, key) = (parsed.GetValue(options.TlsCertificate), parsed.GetValue(options.TlsKey));
            if ((file is null) != (key is null))
            {
                Refuse("cli.tls", "--tls-cert and --tls-key belong together");
            }

            if (file is null || key is null)
            {
                return null;
            }

            try
            {
                return X509Certificate2.CreateFromPemFile(file, key);
            }
            catch (Exception exception) when (exception is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
            {
                Refuse("cli.tls", $"--tls-cert, --tls-key: {exception.Message}");
                return null;
            }
        }

        private int Number(Option<int> option, int least, int most)
        {
            var value = parsed.GetValue(option);
            if (value < least || value > most)
            {
                Refuse("cli.arguments", $"{option.Name} is {least} to {most}");
            }

            return value;
        }

        private void Refuse(string id, string message) => Faults.Add((id, message));
    }
}

using System.Collections.Immutable;
using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Assay.Checks;
using Assay.Collateral.Bundles;
using Assay.Collateral.Http;
using Assay.Collateral.Items;
using Assay.Collateral.Proxy;
using Assay.Collateral.Staging;
using Assay.Collateral.Upstreams;
using Assay.Evidence.Files;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Cli.Collateral;

/// <summary>A command line of <c>assay collateral serve</c> that makes sense, with its files read. All of its faults are found before one is reported.</summary>
internal sealed class ServeRequest : IDisposable
{
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

    /// <summary>Files of bundles to take in before serving.</summary>
    public required ImmutableArray<(string Path, byte[] File)> Bundles { get; init; }

    /// <summary>How they are believed; null where there are none.</summary>
    public required BundleExpectations? BundleExpectations { get; init; }

    /// <summary>The same, read again for bundles that come while it runs.</summary>
    public required BundleSigners? BundleSigners { get; init; }

    public static bool TryRead(ServeOptions options, ParseResult parsed, [NotNullWhen(true)] out ServeRequest? request, out ImmutableArray<(string Id, string Message)> faults)
    {
        var reader = new Reader(options, parsed);
        var trust = AnchorsFile.Read(parsed.GetValue(options.Anchors), reader.Refuse);
        var (proxy, upstreams, chains, folder) = (reader.Proxy(trust), options.Upstreams.Read(parsed, reader.Refuse, reader.Keys), reader.Chains(), reader.Folder());
        var bundles = reader.Bundles();
        var expected = bundles.IsEmpty ? null : options.BundleTrust.Read(parsed, new EvaluationTime(TimeProvider.System.GetUtcNow(), TimeSource.System), reader.Refuse);
        request = new ServeRequest
        {
            Proxy = proxy,
            Upstreams = upstreams,
            Trust = trust,
            Folder = folder,
            Chains = chains,
            Bundles = bundles,
            BundleExpectations = expected,
            BundleSigners = expected is null ? null : options.BundleTrust.Again(parsed, expected),
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
        private const string Staged = "+staged";

        public List<(string Id, string Message)> Faults { get; } = [];

        public List<SecretText> Keys { get; } = [];

        public ProxyOptions Proxy(TrustSet trust)
        {
            var (listen, pools) = Listeners();
            if (trust.Kind is TrustSetKind.Simulated && listen.Any(address => !IPAddress.IsLoopback(address.Address)))
            {
                Refuse("cli.listen", "--listen: collateral of simulated devices is served on loopback only, for example 127.0.0.1:8093");
            }

            return new ProxyOptions
            {
                Listen = listen,
                Pools = pools,
                Certificate = Certificate(),
                Nonce = parsed.GetValue(options.Nonce) == "forward" ? OcspNonceMode.Forward : OcspNonceMode.Cached,
                Rate = parsed.GetValue(options.Rate),
                TotalRate = parsed.GetValue(options.TotalRate),
                Concurrency = parsed.GetValue(options.Concurrency),
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

        public CachePolicy Policy()
        {
            var hours = parsed.GetValue(options.MostStaleHours);
            return new CachePolicy
            {
                MostStale = hours < 0 ? null : TimeSpan.FromHours(hours),
                MostEntries = parsed.GetValue(options.MostEntries),
                MostBytes = parsed.GetValue(options.MostMegabytes) * 1024L * 1024,
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
                    Refuse("evidence.malformed", WrongFile.Message(file, "--learn", "evidence of devices, or their certificates in PEM", bytes, $"{fault}", ContentKind.DeviceEvidence));
                }
            }

            return chains.ToImmutable();
        }

        public ImmutableArray<(string Path, byte[] File)> Bundles()
        {
            var bundles = ImmutableArray.CreateBuilder<(string, byte[])>();
            foreach (var file in parsed.GetValue(options.Bundle) ?? [])
            {
                if (InputFile.TryRead(file, Limits.BundleBytes, out var bytes, out var whyNot))
                {
                    bundles.Add((file, bytes));
                }
                else
                {
                    Refuse("cli.file", whyNot);
                }
            }

            if (bundles.Count == 0)
            {
                options.BundleTrust.RefuseWithout(parsed, "--bundle FILE", Refuse);
            }

            return bundles.ToImmutable();
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

        public void Refuse(string id, string message) => Faults.Add((id, message));
    }
}

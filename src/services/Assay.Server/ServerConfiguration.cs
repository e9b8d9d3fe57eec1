using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Text.Json;
using Assay.Broker.Release;
using Assay.Collateral.Files;
using Assay.Collateral.Http;
using Assay.Log;
using Assay.Service.Http;
using Assay.Service.Keys;
using Assay.Tokens;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Server;

/// <summary>A configuration that makes sense, with its files read. All of its faults are found before one is reported.</summary>
internal sealed record ServerConfiguration(ServerOptions Options, IReadOnlyList<IPEndPoint> Listen, IPEndPoint? Management, TokenIssuer? Issuer, TrustSet Trust, ServiceAddress? CollateralUrl, NrasTerms? Nras, ImmutableArray<TokenIssuerTerms> Issuers)
{
    private const int MostBytes = 1024 * 1024;

    private static readonly string[] s_roles = ["attestation", "collateral", "broker", "witness"];

    private static readonly JsonSerializerOptions s_json = new(StrictJsonOptions.Value) { ReadCommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    public bool HasAttestation => Options.Roles.Contains("attestation");

    public bool HasBroker => Options.Roles.Contains("broker");

    public bool HasWitness => Options.Roles.Contains("witness");

    public bool HasCollateral => Options.Roles.Contains("collateral");

    /// <summary>Reads a file, and the variables that may replace addresses in it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="variable">The environment.</param>
    /// <param name="configuration">What it says.</param>
    /// <param name="faults">What is wrong with it.</param>
    /// <param name="listens">Whether the caller is to listen: otherwise the files of TLS need not be there yet.</param>
    public static bool TryRead(string path, Func<string, string?> variable, [NotNullWhen(true)] out ServerConfiguration? configuration, out IReadOnlyList<string> faults, bool listens = true)
    {
        (configuration, faults) = (null, []);
        if (!BoundedFile.TryRead(path, MostBytes, out var bytes, out var whyNot))
        {
            faults = [whyNot];
            return false;
        }

        ServerOptions? options;
        try
        {
            options = JsonSerializer.Deserialize<ServerOptions>(bytes.Span, s_json);
        }
        catch (JsonException exception)
        {
            faults = [$"{path}: {StrictJsonOptions.WhyNot(exception)}"];
            return false;
        }

        if (options is null)
        {
            faults = [$"{path}: an object is expected"];
            return false;
        }

        options = options with
        {
            Database = variable("ASSAY_DATABASE")?.Trim() ?? options.Database,
            Kek = variable("ASSAY_KEK") is { } kek ? new KekTerms { File = kek } : options.Kek,
            Listen = variable("ASSAY_LISTEN") is { } listen ? listen.Split(',', StringSplitOptions.TrimEntries) : options.Listen,
        };
        var reader = new Reader(path, options, listens);
        configuration = reader.Read();
        faults = reader.Faults;
        configuration = faults.Count == 0 ? configuration : null;
        return configuration is not null;
    }

    private sealed class Reader(string path, ServerOptions options, bool listens)
    {
        public List<string> Faults { get; } = [];

        public ServerConfiguration Read()
        {
            IPEndPoint[] listen = [.. options.Listen.Select(text => EndPoint("listen", text))];
            Require(listen.Length > 0, "listen: at least one is expected");
            var management = options.Management is { } text ? EndPoint("management", text) : null;
            Require(management is null || !listen.Contains(management), "management: an address of its own is expected, not one of listen");
            Require(options.Roles.Count > 0 && options.Roles.All(role => s_roles.Contains(role)), $"roles: {string.Join(", ", s_roles)} are known");
            var trust = Trust();
            var issuer = options.Roles.Contains("attestation") || options.Roles.Contains("broker") ? Issuer() : null;
            Simulated(trust, listen, management, issuer);
            Tls();
            Kek();
            Numbers();
            Witnesses();
            Logins();
            return new ServerConfiguration(options, listen, management, issuer, trust, Url(), Nras(), [.. options.Broker.Issuers.Select(Issuer).OfType<TokenIssuerTerms>()]);
        }

        private IPEndPoint EndPoint(string name, string text)
        {
            if (IPEndPoint.TryParse(text, out var end) && text.Contains(':', StringComparison.Ordinal))
            {
                return end;
            }

            Faults.Add($"{path}: {name}: ADDRESS:PORT is expected, found \"{Printable.Of(text)}\"");
            return new IPEndPoint(IPAddress.Loopback, 0);
        }

        private TrustSet Trust()
        {
            if (options.Anchors is null)
            {
                return TrustSet.BuiltIn;
            }

            if (!BoundedFile.TryRead(options.Anchors, MostBytes, out var bytes, out var whyNot))
            {
                Faults.Add($"{path}: anchors: {whyNot}");
                return TrustSet.BuiltIn;
            }

            if (TrustSet.TryParse(bytes.Span, out var trust, out var fault))
            {
                return trust;
            }

            Faults.Add($"{path}: anchors: {options.Anchors}: {fault}");
            return TrustSet.BuiltIn;
        }

        private TokenIssuer? Issuer()
        {
            if (TokenIssuer.TryParse(options.Issuer, out var issuer, out var fault))
            {
                return issuer;
            }

            Faults.Add($"{path}: issuer: {fault.Problem}");
            return null;
        }

        // S-12: a simulated set is for one machine to play with.
        private void Simulated(TrustSet trust, IPEndPoint[] listen, IPEndPoint? management, TokenIssuer? issuer)
        {
            if (trust.Kind is TrustSetKind.Simulated)
            {
                Require(listen.All(end => IPAddress.IsLoopback(end.Address)) && (management is null || IPAddress.IsLoopback(management.Address)), "anchors: a simulated set is served on loopback alone (S-12): change listen and management");
                Require(issuer is null or { IsLoopback: true }, "anchors: under a simulated set the issuer is a loopback URL (S-12)");
            }
        }

        private void Tls()
        {
            if (listens && options.Tls is { } tls)
            {
                foreach (var (name, file) in ((string, string?)[])[("certificate", tls.Certificate), ("key", tls.Key), ("clientCa", tls.ClientCa)])
                {
                    Require(file is null || File.Exists(file), $"tls.{name}: {file} does not exist");
                }
            }
        }

        private void Kek()
        {
            foreach (var fault in options.Kek.Faults())
            {
                Faults.Add($"{path}: kek{(fault.StartsWith("a path", StringComparison.Ordinal) ? ": " : ".")}{fault}");
            }
        }

        private void Numbers()
        {
            var attestation = options.Attestation;
            Require(attestation.ChallengeSeconds is >= 5 and <= 3600, "attestation.challengeSeconds: 5 to 3600 are expected");
            Require(attestation.KeepEvidenceHours is >= 0 and <= 8760, "attestation.keepEvidenceHours: 0 to 8760 are expected");
            Require(attestation.KeepAppraisalsDays is >= 1 and <= 3650, "attestation.keepAppraisalsDays: 1 to 3650 are expected");
            Require(attestation.ReappraisalSeconds is 0 or >= 10, "attestation.reappraisalSeconds: 0, or at least 10, is expected");
            Require(options.Broker.ChallengeSeconds is >= 5 and <= 3600, "broker.challengeSeconds: 5 to 3600 are expected");
            Require(options.Broker.DestroyHours is >= 0 and <= 8760, "broker.destroyHours: 0 to 8760 are expected");
            Require(options.Broker.LogOrigin is null || IsName(options.Broker.LogOrigin), "broker.logOrigin: a URL without scheme and final slash is expected");
            Require(options.Broker.Kbs is null or { SessionSeconds: >= 10 and <= 3600, Sessions: >= 8 and <= 100_000 }, "broker.kbs: sessionSeconds 10 to 3600 and sessions 8 to 100000 are expected");
            Require(options.Broker.Kbs is null || ResourceName.IsValid(options.Broker.Kbs.Tenant), $"broker.kbs.tenant: {ResourceName.Expected}");
            Require(options.Broker.Hosted is null || (options.Roles.Contains("broker") && Path.IsPathFullyQualified(options.Broker.Hosted.Agent)), "broker.hosted: the role broker, and in agent the whole path of the agent's socket, are expected");
            Require(options.Broker.Hosted is null || options.Tls is not null || options.Listen.All(text => IPEndPoint.TryParse(text, out var end) && IPAddress.IsLoopback(end.Address)), "broker.hosted: tls is expected, because the evidence names its certificate; without it, listen is on loopback alone");
            Require(options.Broker.Kbs is null || options.Roles.Contains("broker"), "broker.kbs: the role broker serves it");
            Require(options.Signing.LeadSeconds >= 10, "signing.leadSeconds: at least 10 are expected: every process must know a key before it signs");
            Require(options.Signing.OverlapSeconds >= 10, "signing.overlapSeconds: at least 10 are expected");
            Require(options.Limits is { PerAddress: > 0, PerTenant: > 0, Concurrency: > 0, Waiting: >= 0 }, "limits: all are above 0");
            Require(options.Drain is { NotReadySeconds: >= 0 and <= 600, RequestSeconds: >= 0 and <= 600 }, "drain: 0 to 600 seconds are expected");
        }

        private static bool IsName(string text) =>
            text.Length is > 0 and < 256 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '/' or ':' or '_') && !text.EndsWith('/') && !text.Contains("//", StringComparison.Ordinal);

        private void Witnesses()
        {
            foreach (var (index, witness) in options.Broker.Witnesses.Index())
            {
                Require(ServiceAddress.TryParse(witness.Url, out _, out var fault), $"broker.witnesses[{index}].url: {fault?.Problem}");
                Require(WitnessKey.TryParse(witness.Key, out _, out fault), $"broker.witnesses[{index}].key: {fault?.Problem}");
            }

            Require(options.Broker.Witnesses.Select(witness => witness.Key).Distinct(StringComparer.Ordinal).Count() == options.Broker.Witnesses.Count, "broker.witnesses: each has a key of its own");
            if (!options.Roles.Contains("witness"))
            {
                return;
            }

            Require(options.Witness.Name is { } name && IsName(name), "witness.name: a URL without scheme and final slash is expected");
            Require(options.Witness.Logs.Count > 0, "witness.logs: the public key of at least one log is expected");
            foreach (var (index, log) in options.Witness.Logs.Index())
            {
                Require(NoteKey.TryParse(log, out var key, out var fault), $"witness.logs[{index}]: {fault?.Problem}");
                key?.Dispose();
            }
        }

        private void Logins()
        {
            foreach (var (index, login) in options.Authentication.Oidc.Index())
            {
                Require(login.Tenant is null != login.TenantClaim is null, $"authentication.oidc[{index}]: exactly one of tenant and tenantClaim is expected");
                Require(Uri.TryCreate(login.Issuer, UriKind.Absolute, out var uri) && (uri.Scheme == "https" || uri.IsLoopback), $"authentication.oidc[{index}].issuer: an https URL is expected");
                Require(login.Roles.Values.All(Service.Identity.Scopes.Roles.ContainsKey), $"authentication.oidc[{index}].roles: {string.Join(", ", Service.Identity.Scopes.Roles.Keys.Order(StringComparer.Ordinal))} are known");
            }

            foreach (var (index, login) in options.Authentication.Certificates.Index())
            {
                Require(login.Sha256 is null != login.Subject is null, $"authentication.certificates[{index}]: exactly one of sha256 and subject is expected");
                Require(login.Roles.All(Service.Identity.Scopes.Roles.ContainsKey), $"authentication.certificates[{index}].roles: an unknown one");
                Require(options.Tls?.ClientCa is not null, $"authentication.certificates[{index}]: tls.clientCa is needed: client certificates are believed under it alone");
            }
        }

        // S-20: this service's own tokens are never evidence, whatever form they have.
        private NrasTerms? Nras()
        {
            if (options.Broker.Nras is not { } nras)
            {
                return null;
            }

            Require(options.Roles.Contains("broker"), "broker.nras: the role broker takes such tokens");
            Require(nras.Issuer.Length > 0 && nras.Issuer != options.Issuer, "broker.nras.issuer: the issuer of NVIDIA's service is expected, and not this service's own");
            return Keys("broker.nras.keys", nras.Keys) is { } keys ? new NrasTerms { Issuer = nras.Issuer, Keys = keys } : null;
        }

        private TokenIssuerTerms? Issuer(TokenIssuerOptions? issuer, int index)
        {
            var at = $"broker.issuers[{index}]";
            if (issuer is null)
            {
                Faults.Add($"{path}: {at}: an object is expected");
                return null;
            }

            Require(options.Roles.Contains("broker"), $"{at}: the role broker takes such tokens");
            Require(issuer is { Issuer.Length: > 0 and <= Limits.TokenNameCharacters, Audience.Length: > 0 and <= Limits.TokenNameCharacters }, $"{at}: the issuer and the audience of the tokens are expected");
            Require(options.Broker.Issuers.Count(item => item?.Issuer == issuer.Issuer) == 1, $"{at}.issuer: each is expected once");
            Require(issuer.Keys is not null || (issuer.Issuer == options.Issuer && options.Roles.Contains("attestation")), $"{at}.keys: a file with the service's JWK set is expected, unless it is this service itself");
            JsonWebKeySet? keys = null;
            return issuer.Keys is { } file && (keys = Keys($"{at}.keys", file)) is null ? null : new TokenIssuerTerms { Issuer = issuer.Issuer, Audience = issuer.Audience, Keys = keys };
        }

        private JsonWebKeySet? Keys(string member, string file)
        {
            if (!BoundedFile.TryRead(file, MostBytes, out var bytes, out var whyNot))
            {
                Faults.Add($"{path}: {member}: {whyNot}");
                return null;
            }

            if (JsonWebKeySet.TryParse(bytes.Span, out var keys, out var fault))
            {
                return keys;
            }

            Faults.Add($"{path}: {member}: {file}: {fault}");
            return null;
        }

        private ServiceAddress? Url()
        {
            if (options.Collateral.Url is null)
            {
                return null;
            }

            Require(!options.Collateral.Offline, "collateral: url and offline exclude each other");
            if (ServiceAddress.TryParse(options.Collateral.Url, out var address, out var fault))
            {
                return address;
            }

            Faults.Add($"{path}: collateral.url: {fault.Problem}");
            return null;
        }

        private void Require(bool holds, string fault)
        {
            if (!holds)
            {
                Faults.Add($"{path}: {fault}");
            }
        }
    }
}

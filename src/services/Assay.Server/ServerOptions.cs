using Assay.Service.Http;
using Assay.Service.Identity;
using Assay.Service.Keys;

namespace Assay.Server;

/// <summary>
/// The configuration file: JSON with comments, unknown members refused. Addresses, folders and limits may also come from variables
/// (<c>ASSAY_DATABASE</c>, <c>ASSAY_LISTEN</c>, <c>ASSAY_KEK</c>); what is expected, and whose anchors are believed, only from the file.
/// </summary>
internal sealed record ServerOptions
{
    /// <summary>Where it listens: ADDRESS:PORT, port 0 for any free one.</summary>
    public IReadOnlyList<string> Listen { get; init; } = ["127.0.0.1:8080"];

    /// <summary>Where /metrics, /healthz and /readyz are served besides; null: health on <see cref="Listen"/> alone, and no metrics.</summary>
    public string? Management { get; init; }

    /// <summary>The <c>iss</c> of tokens: the https URL under which clients reach this service.</summary>
    public string? Issuer { get; init; }

    /// <summary>Some of <c>attestation</c>, <c>collateral</c> and <c>broker</c>.</summary>
    public IReadOnlyList<string> Roles { get; init; } = ["attestation"];

    /// <summary>A file for SQLite, or a connection string of PostgreSQL.</summary>
    public string Database { get; init; } = "assay.db";

    /// <summary>The key encryption key: its file, or where it is in a PKCS#11 token, AWS KMS or Vault.</summary>
    public KekTerms Kek { get; init; } = new() { File = "kek" };

    /// <summary>TLS; null: plain HTTP, for loopback or behind a proxy that ends TLS.</summary>
    public TlsOptions? Tls { get; init; }

    /// <summary>A file of roots in place of the manufacturers'; null for theirs.</summary>
    public string? Anchors { get; init; }

    /// <summary>Where collateral comes from.</summary>
    public CollateralOptions Collateral { get; init; } = new();

    /// <summary>Logins beside API keys.</summary>
    public ServiceAuthentication Authentication { get; init; } = new();

    /// <summary>How much is taken.</summary>
    public RequestLimitTerms Limits { get; init; } = new();

    /// <summary>The attestation role.</summary>
    public AttestationOptions Attestation { get; init; } = new();

    /// <summary>The broker role.</summary>
    public BrokerOptions Broker { get; init; } = new();

    /// <summary>The witness role.</summary>
    public WitnessRoleOptions Witness { get; init; } = new();

    /// <summary>Signing keys.</summary>
    public SigningOptions Signing { get; init; } = new();

    /// <summary>How long requests under way may take at a stop, and how long /readyz says no before it.</summary>
    public DrainOptions Drain { get; init; } = new();

    /// <summary>Where traces and metrics are sent by OTLP; null: nowhere.</summary>
    public string? Otlp { get; init; }
}

/// <summary>Certificate and key from files, read again when they change.</summary>
internal sealed record TlsOptions
{
    /// <summary>PEM, leaf first.</summary>
    public required string Certificate { get; init; }

    /// <summary>PEM, unencrypted.</summary>
    public required string Key { get; init; }

    /// <summary>PEM: client certificates under these roots may log in; null: none may.</summary>
    public string? ClientCa { get; init; }
}

/// <summary>Where collateral comes from.</summary>
internal sealed record CollateralOptions
{
    /// <summary>Where the cache is kept; null: in memory.</summary>
    public string? Folder { get; init; }

    /// <summary>A collateral proxy that has all of it, in place of the manufacturers' services; null: those are asked.</summary>
    public string? Url { get; init; }

    /// <summary>Asks nobody: what the cache holds decides.</summary>
    public bool Offline { get; init; }
}

/// <summary>The attestation role.</summary>
internal sealed record AttestationOptions
{
    /// <summary>How long a challenge can be answered, in seconds.</summary>
    public int ChallengeSeconds { get; init; } = 120;

    /// <summary>How long raw evidence is kept, encrypted, in hours; 0: not at all.</summary>
    public double KeepEvidenceHours { get; init; } = 24;

    /// <summary>How long appraisals are kept, in days.</summary>
    public int KeepAppraisalsDays { get; init; } = 90;

    /// <summary>How often the machines of live tokens are judged again, in seconds; 0: never.</summary>
    public int ReappraisalSeconds { get; init; } = 300;

    /// <summary>Whether the self test runs at each start, and must pass before anything is listened to.</summary>
    public bool SelfTest { get; init; }

    /// <summary>The tenant of callers without a credential at NVIDIA's paths; null: they need one.</summary>
    public string? NrasAnonymousTenant { get; init; }

    /// <summary>Policy documents that are taken, tested and activated at the start, each for its tenant.</summary>
    public IReadOnlyList<PolicyFileOptions> Policies { get; init; } = [];
}

/// <summary>The broker role.</summary>
internal sealed record BrokerOptions
{
    /// <summary>The log's name, a URL without scheme and final slash; null: the issuer's, with <c>/v1/log</c>. It cannot be changed later.</summary>
    public string? LogOrigin { get; init; }

    /// <summary>How long a challenge can be answered, in seconds.</summary>
    public int ChallengeSeconds { get; init; } = 120;

    /// <summary>How long a key that is destroyed can be taken back, in hours; 0: it cannot.</summary>
    public int DestroyHours { get; init; } = 168;

    /// <summary>Who cosigns the log. Nothing is released before each has answered once.</summary>
    public IReadOnlyList<WitnessOptions> Witnesses { get; init; } = [];

    /// <summary>The KBS protocol; null: it is not served.</summary>
    public KbsOptions? Kbs { get; init; }

    /// <summary>In a confidential VM of its own; null: run by the keys' owner.</summary>
    public HostedOptions? Hosted { get; init; }

    /// <summary>Tokens of NVIDIA's service in place of evidence, for policies that name them; null: none are taken.</summary>
    public NrasTokenOptions? Nras { get; init; }

    /// <summary>The attestation services whose tokens are taken in place of evidence, for policies that name them.</summary>
    public IReadOnlyList<TokenIssuerOptions> Issuers { get; init; } = [];
}

/// <summary>An Assay attestation service whose tokens are believed.</summary>
internal sealed record TokenIssuerOptions
{
    /// <summary>Their <c>iss</c>.</summary>
    public required string Issuer { get; init; }

    /// <summary>Their <c>aud</c>: this broker's name with that service.</summary>
    public required string Audience { get; init; }

    /// <summary>A file with that service's JWK set, read at the start and never fetched; null: it is this service itself.</summary>
    public string? Keys { get; init; }
}

/// <summary>The broker shows evidence of the machine in which it runs.</summary>
internal sealed record HostedOptions
{
    /// <summary>The socket of the guest's agent.</summary>
    public string Agent { get; init; } = "/run/assay/agent.sock";
}

/// <summary>Whose tokens of NVIDIA's service are believed.</summary>
internal sealed record NrasTokenOptions
{
    /// <summary>Their <c>iss</c>.</summary>
    public string Issuer { get; init; } = "https://nras.attestation.nvidia.com";

    /// <summary>A file with the service's JWK set. It is read at the start, and never fetched.</summary>
    public required string Keys { get; init; }
}

/// <summary>The KBS protocol, which has no logins.</summary>
internal sealed record KbsOptions
{
    /// <summary>Whose resources are served.</summary>
    public required string Tenant { get; init; }

    /// <summary>How long a session lasts, in seconds, and so how old evidence may be.</summary>
    public int SessionSeconds { get; init; } = 300;

    /// <summary>Sessions at one time; of one address an eighth of them.</summary>
    public int Sessions { get; init; } = 4096;
}

/// <summary>A witness of the broker's log.</summary>
internal sealed record WitnessOptions
{
    /// <summary>Its submission prefix (C2SP tlog-witness); of an Assay server <c>https://HOST/v1/witness</c>.</summary>
    public required string Url { get; init; }

    /// <summary>Its key, NAME+ID+BASE64.</summary>
    public required string Key { get; init; }
}

/// <summary>The witness role.</summary>
internal sealed record WitnessRoleOptions
{
    /// <summary>The witness's name, a URL without scheme and final slash. It cannot be changed later.</summary>
    public string? Name { get; init; }

    /// <summary>The public keys of the logs that it watches, NAME+ID+BASE64.</summary>
    public IReadOnlyList<string> Logs { get; init; } = [];
}

/// <summary>A policy document of the operator's.</summary>
internal sealed record PolicyFileOptions
{
    /// <summary>The file.</summary>
    public required string File { get; init; }

    /// <summary>Whose it is: the tenant is made where it does not exist, and the audiences are assigned to it.</summary>
    public required string Tenant { get; init; }
}

/// <summary>Signing keys.</summary>
internal sealed record SigningOptions
{
    /// <summary>How long a key is published before it signs, in seconds.</summary>
    public int LeadSeconds { get; init; } = 86_400;

    /// <summary>How long a key stays published after the next one signs, in seconds.</summary>
    public int OverlapSeconds { get; init; } = 172_800;
}

/// <summary>A stop.</summary>
internal sealed record DrainOptions
{
    /// <summary>How long /readyz says no before the listeners close, in seconds, so that load balancers turn away first.</summary>
    public int NotReadySeconds { get; init; } = 5;

    /// <summary>How long requests under way may take then, in seconds.</summary>
    public int RequestSeconds { get; init; } = 30;
}

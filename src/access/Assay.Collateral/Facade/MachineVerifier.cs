using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Files;
using Assay.Collateral.Http;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Reference.Manifest;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay;

/// <summary>
/// What a relying party expects and where collateral comes from, by files and addresses. What is not stated is in the weakenings of every
/// verdict; <see cref="MachineAppraiser"/> has every choice that this leaves out.
/// </summary>
public sealed record MachineVerifierOptions
{
    /// <summary>A folder of RIMs; null: <see cref="CollateralUrl"/> is asked.</summary>
    public string? RimFolder { get; init; }

    /// <summary>A folder of OCSP responses; null: <see cref="CollateralUrl"/> is asked.</summary>
    public string? OcspFolder { get; init; }

    /// <summary>Collateral of the processor, as a file or a folder; null: <see cref="CollateralUrl"/> is asked.</summary>
    public string? ProcessorCollateral { get; init; }

    /// <summary>The base address of a collateral proxy, which has all of it; null: nothing is asked over the network.</summary>
    public Uri? CollateralUrl { get; init; }

    /// <summary>A file of roots in place of the manufacturers'; null for theirs.</summary>
    public string? Anchors { get; init; }

    /// <summary>A file of reference values; null: any image, and every verdict says so.</summary>
    public string? ReferenceValues { get; init; }

    /// <summary>A JWK set whose keys sign reference values; null: the file is unsigned, and every verdict says so.</summary>
    public string? ReferenceKeys { get; init; }

    /// <summary>How many GPUs must answer; null: none was stated, and every verdict says so.</summary>
    public int? Gpus { get; init; }

    /// <summary>How many switches must answer; null: any number.</summary>
    public int? Switches { get; init; }

    /// <summary>The clock.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>An instant at which everything is judged in place of now, for evidence that was recorded; every verdict says so. Null: now.</summary>
    public DateTimeOffset? At { get; init; }

    /// <summary>Does not check whether a certificate was revoked, and every verdict says so.</summary>
    public bool DangerouslySkipRevocation { get; init; }
}

/// <summary>The shortest road from a file of evidence to a verdict. May be used by many threads at once; keep one, for it remembers what verified.</summary>
public sealed class MachineVerifier : IDisposable
{
    private readonly MachineVerifierOptions _options;
    private readonly TrustSet _trust;
    private readonly byte[]? _references;
    private readonly JsonWebKeySet? _referenceKeys;
    private readonly CollateralSources _sources;
    private readonly VerifierCache _cache = new();

    /// <param name="options">What is expected, and where collateral comes from.</param>
    /// <exception cref="IOException">A file or folder that the options name cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file that the options name is malformed: the message names it and what is wrong.</exception>
    /// <exception cref="ArgumentException">The address is not an http or https URL that collateral can be fetched from.</exception>
    public MachineVerifier(MachineVerifierOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _trust = options.Anchors is { } anchors ? (TrustSet.TryParse(Read(anchors), out var trust, out var fault) ? trust : throw Malformed(anchors, fault)) : TrustSet.BuiltIn;
        _referenceKeys = options.ReferenceKeys is { } keys ? (JsonWebKeySet.TryParse(Read(keys), out var set, out fault) ? set : throw Malformed(keys, fault)) : null;
        _references = options.ReferenceValues is { } references ? Read(references) : null;
        _ = References(Now());
        ServiceAddress? address = null;
        if (options.CollateralUrl is { } url && !ServiceAddress.TryParse(url.OriginalString, out address, out fault))
        {
            throw new ArgumentException(fault.ToString(), nameof(options));
        }

        var http = new CollateralHttpOptions { Time = options.Clock };
        var upstream = address is null ? null : new HttpUpstream(new UpstreamOptions { Intel = address, Amd = address, Http = http });
        _sources = new CollateralSources
        {
            Rims = options.RimFolder is { } rims ? new DirectoryRimStore(rims) : address is null ? null : new RimServiceClient(address, http),
            Ocsp = options.OcspFolder is { } ocsp ? new DirectoryOcspStore(ocsp) : address is null ? null : new OcspClient(address, http),
            Intel = upstream,
            Amd = upstream,
        };
    }

    /// <summary>Judges the evidence in a file: a bundle, or that of devices or a processor alone.</summary>
    /// <param name="evidence">The file.</param>
    /// <param name="challenge">The challenge's own characters, as the machine received them; null: freshness is not proven, and the verdict says so.</param>
    /// <param name="cancellation">Ends the fetching.</param>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file or the challenge is malformed, or the evidence cannot answer a challenge: the message names it and what is wrong.</exception>
    public async Task<Verdict> VerifyAsync(string evidence, string? challenge, CancellationToken cancellation = default)
    {
        var (bytes, now) = (Read(evidence), Now());
        var machine = ReadMachine(bytes, Path.GetFileName(evidence));
        ProcessorCollateral? given = null;
        if (machine.Cpu is { } cpu && _options.ProcessorCollateral is { } path && !ProcessorCollateralFiles.TryRead(path, cpu, out given, out var whyNot))
        {
            throw new InvalidDataException($"{path}: {whyNot}");
        }

        var expected = new MachineExpectations
        {
            Basis = new TrustBasis(now, _trust, _options.DangerouslySkipRevocation ? RevocationChecking.DangerouslySkipped : RevocationChecking.Required),
            References = References(now),
            Gpus = _options.Gpus,
            Switches = _options.Switches,
        };
        // Devices answer a nonce; a processor answers a challenge together with a key. What nothing could answer must not pass as asked.
        if (challenge is not null && machine.Key is null && machine.Devices.IsEmpty)
        {
            throw new InvalidDataException("challenge: a processor answers one together with a key, and the evidence shows neither a key nor a device");
        }

        expected = challenge is null ? expected
            : machine.Key is not null ? expected with { Challenge = challenge }
            : expected with { Nonce = Nonce.TryParse(challenge, out var nonce, out var fault) ? nonce : throw Malformed("challenge", fault) };
        var appraiser = new MachineAppraiser(_sources, _cache) { Given = given };
        return await appraiser.AppraiseAsync(machine, expected, cancellation: cancellation).ConfigureAwait(false);
    }

    /// <summary>Closes the connections.</summary>
    public void Dispose() => _sources.Dispose();

    private EvaluationTime Now() => _options.At is { } at ? new(at, TimeSource.Stated) : new(_options.Clock.GetUtcNow(), TimeSource.System);

    // Judged anew each time: reference values end.
    private ReferenceValues? References(EvaluationTime now) => _references is null ? null
        : ReferenceValues.TryRead(_references, _referenceKeys, now, minimumSequence: 0, out var values, out var findings) ? values
        : throw new InvalidDataException($"{_options.ReferenceValues}: {string.Join("; ", findings.Where(finding => finding.State is CheckState.Failed).Select(finding => $"{finding.Id}: {finding.Reason}"))}");

    private static MachineEvidence ReadMachine(byte[] bytes, string name)
    {
        if (MachineEvidence.TryParse(bytes, name, out var machine, out var fault))
        {
            return machine;
        }

        return EvidenceFile.TryParse(bytes, name, out var devices, out _) ? new MachineEvidence { Devices = devices }
            : ProcessorEvidence.TryParse(bytes, name, out var cpu, out _) ? new MachineEvidence { Devices = [], Cpu = cpu }
            : throw Malformed(name, fault);
    }

    private static byte[] Read(string path) =>
        BoundedFile.TryRead(path, Limits.EvidenceFileBytes, out var bytes, out var whyNot) ? bytes.ToArray() : throw new IOException(whyNot);

    private static InvalidDataException Malformed(string path, ParseFault fault) => new($"{path}: {fault}");
}

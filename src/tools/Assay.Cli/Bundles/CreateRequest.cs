using System.Collections.Immutable;
using System.CommandLine;
using Assay.Cli.Collateral;
using Assay.Cli.Tokens;
using Assay.Collateral.Http;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Cli.Bundles;

/// <summary>A command line of <c>assay bundle create</c> that makes sense, with its files read. All of its faults are told.</summary>
internal sealed class CreateRequest : IDisposable
{
    private readonly List<SecretText> _secrets = [];
    private readonly List<SigningKey> _keys = [];
    private bool _refused;
    private string? _rims;
    private string? _ocsp;

    private CreateRequest(DateTimeOffset now) => Now = now;

    public DateTimeOffset Now { get; }
    public EvidenceInputs Evidence { get; private set; } = null!;
    public ImmutableArray<CollateralKey> Ids { get; private set; }
    public ImmutableArray<(string Source, ReadOnlyMemory<byte> Pem)> Chains { get; private set; }
    public UpstreamOptions Upstreams { get; private set; } = null!;
    public TrustSet Trust { get; private set; } = TrustSet.BuiltIn;
    public DateTimeOffset Created { get; private set; }
    public long Sequence { get; private set; }
    public ImmutableArray<OcspHash> Hashes { get; private set; }
    public IReadOnlyList<SigningKey> Keys => _keys;

    /// <summary>Where items of a kind are asked for, as a bar names it: a folder, or a host. Null where nowhere.</summary>
    public string? From(CollateralKind kind) => kind switch
    {
        CollateralKind.Rim => _rims ?? HostOf(Upstreams.Rim),
        CollateralKind.Ocsp => _ocsp ?? HostOf(Upstreams.Ocsp),
        CollateralKind.Crl => HostOf(Upstreams.Crl),
        CollateralKind.AmdChain or CollateralKind.AmdCrl or CollateralKind.Vcek => HostOf(Upstreams.Amd),
        CollateralKind.RootCrl => HostOf(Upstreams.IntelRootCrl ?? Upstreams.Intel),
        _ => HostOf(Upstreams.Intel),
    };

    private static string? HostOf(ServiceAddress? address) => address?.Uri.Authority;

    /// <summary>Null when the command line is refused.</summary>
    public static CreateRequest? Read(CreateOptions options, ParseResult parsed, DateTimeOffset now)
    {
        var request = new CreateRequest(now);
        request.ReadTimes(options, parsed);
        request.ReadKeys(parsed.GetValue(options.Keys)!);
        request.Trust = AnchorsFile.Read(parsed.GetValue(options.Anchors), request.Refuse);
        request.Evidence = EvidenceInputs.Read(parsed.GetValue(options.For) ?? [], request.Refuse);
        request.Ids = EvidenceInputs.ReadIds(parsed.GetValue(options.Ids), request.Refuse);
        request.Chains = request.ReadChains(parsed.GetValue(options.Learn) ?? []);
        request.Upstreams = options.Upstreams.Read(parsed, request.Refuse, request._secrets);
        request.Hashes = parsed.GetValue(options.OcspStore) is not null && parsed.GetResult(options.CertIds) is not { Implicit: false } ? [] : EvidenceInputs.Hashes(parsed.GetValue(options.CertIds)!);
        if (parsed.GetValue(options.For) is not { Length: > 0 } && request.Ids.IsEmpty)
        {
            request.Refuse("cli.bundle", "nothing to bundle: give --for EVIDENCE…, or --ids FILE");
        }

        (request._rims, request._ocsp) = (parsed.GetValue(options.RimStore), parsed.GetValue(options.OcspStore));
        foreach (var (option, folder) in new[] { ("--rim-store", request._rims), ("--ocsp-store", request._ocsp) })
        {
            if (folder is not null && StoreFolders.WhyNot(option, folder) is { } whyNot)
            {
                request.Refuse("cli.folder", whyNot);
            }
        }

        // Asked now and not after minutes of fetching.
        if (parsed.GetValue(options.Out) is { } path && (path.Length == 0 || Path.Exists(path)))
        {
            request.Refuse("cli.out", path.Length == 0 ? "--out: the file name is empty (an unset variable?)" : $"{path}: the file exists, and bundles are never overwritten: choose another name, or remove it");
        }

        if (request._refused)
        {
            request.Dispose();
        }
        // Ids may name items of any kind.
        else if (request.Ids.IsEmpty)
        {
            UnusedOptions.Tell(parsed, UnusedOptions.KindsOf(request.Evidence.Devices.Any(devices => !devices.IsEmpty), request.Evidence.Processors), options.ByEvidence);
        }

        return request._refused ? null : request;
    }

    public void Dispose()
    {
        _secrets.ForEach(secret => secret.Dispose());
        _keys.ForEach(key => key.Dispose());
    }

    private void ReadTimes(CreateOptions options, ParseResult parsed)
    {
        Created = Now;
        if (parsed.GetValue(options.Created) is { } text)
        {
            if (!Instant.TryRead(text, out var created, out var whyNot))
            {
                Refuse("cli.bundle", $"--created: {whyNot}");
            }
            else if (created - Now > RevocationJudgement.ClockSkewTolerance)
            {
                Refuse("cli.bundle", "--created is in the future: until then every reader would refuse the bundle");
            }

            Created = created;
        }

        Sequence = parsed.GetValue(options.Sequence) ?? Created.ToUnixTimeSeconds();
        if (Sequence is < 1 or > Limits.LargestSequence)
        {
            Refuse("cli.bundle", $"--sequence: 1 to {Limits.LargestSequence} is expected");
        }
    }

    private void ReadKeys(IEnumerable<string> files)
    {
        foreach (var file in files)
        {
            if (!SigningKeyFile.TryRead(file, out var key, out var whyNot))
            {
                Refuse("cli.signing-key", whyNot);
                continue;
            }

            _keys.Add(key);
            if (key.PublicKey.Algorithm is not SignatureAlgorithm.EcdsaSha384)
            {
                Refuse("cli.signing-key", $"{file}: bundles are signed with ES384: a key on P-384 is expected (assay token keygen makes one)");
            }
            else if (_keys.Count(known => known.PublicKey.Thumbprint == key.PublicKey.Thumbprint) > 1)
            {
                Refuse("cli.signing-key", $"{file}: the same key is given twice, and counts once");
            }
        }
    }

    private ImmutableArray<(string Source, ReadOnlyMemory<byte> Pem)> ReadChains(IEnumerable<string> files)
    {
        var chains = ImmutableArray.CreateBuilder<(string, ReadOnlyMemory<byte>)>();
        foreach (var file in files)
        {
            if (InputFile.TryRead(file, Limits.ChainTextBytes, out var bytes, out var whyNot))
            {
                chains.Add((file, bytes));
            }
            else
            {
                Refuse("cli.file", whyNot);
            }
        }

        return chains.ToImmutable();
    }

    private void Refuse(string id, string message)
    {
        _refused = true;
        Output.Error(id, message);
    }
}

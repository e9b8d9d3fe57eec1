using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Checks;
using Assay.Policies;
using Assay.Policy;
using Assay.Reference.Intel;
using Assay.Reference.Manifest;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Service.Judging;

/// <summary>Expectations of a policy, ready to judge: its Rego compiled and its keys read. Immutable, for any number of threads.</summary>
public sealed class CompiledExpectations
{
    private readonly byte[]? _references;
    private readonly JsonWebKeySet? _referenceKeys;
    private readonly RegoPolicy? _rego;
    private ReadReferences? _read;

    private readonly BootPhase _phase;

    private CompiledExpectations(PolicyExpectations document, byte[]? references, JsonWebKeySet? keys, RegoPolicy? rego, BootPhase phase) =>
        (Document, _references, _referenceKeys, _rego, _phase) = (document, references, keys, rego, phase);

    /// <summary>SHA-384 of the manifest of reference values, as <see cref="DigestOf"/> has it; null: there are none.</summary>
    public Digest? ReferenceDigest => Document.ReferenceValues is { } values ? DigestOf(values) : null;

    /// <summary>What they say.
    public PolicyExpectations Document { get; }

    /// <summary>Reads and compiles.</summary>
    /// <param name="document">What evidence must show; without faults of its own.</param>
    /// <param name="source">A policy that decides beside it; null: none.</param>
    /// <param name="compiled">Ready to judge.</param>
    /// <param name="fault">Which member is wrong, and how.</param>
    /// <param name="phase">Of the log: a boot-phase log is accepted only where that is asked for (S-4).</param>
    public static bool TryCompile(PolicyExpectations document, PolicyRego? source, [NotNullWhen(true)] out CompiledExpectations? compiled, [NotNullWhen(false)] out string? fault, BootPhase phase = BootPhase.Run)
    {
        ArgumentNullException.ThrowIfNull(document);
        compiled = null;
        fault = null;
        JsonWebKeySet? keys = null;
        RegoPolicy? rego = null;
        if (document.ReferenceKeys is { } set && !JsonWebKeySet.TryParse(BytesOf(set), out keys, out var problem))
        {
            fault = $"$.expect.referenceKeys: {problem}";
        }
        else if (document.DangerouslyAcceptTcb.FirstOrDefault(word => !Enum.TryParse<TcbStatus>(word, out _)) is { } unknown)
        {
            fault = $"$.expect.dangerouslyAcceptTcb: {Printable.Of(unknown)} is no TCB status";
        }
        else if (source is not null && !TryCompile(source, out rego, out fault))
        {
            fault = $"$.rego: {fault}";
        }

        compiled = fault is null ? new CompiledExpectations(document, document.ReferenceValues is { } values ? BytesOf(values) : null, keys, rego, phase) : null;
        return compiled is not null;
    }

    /// <summary>Who decides about the claims.</summary>
    /// <param name="name">What the policy is called in the verdict.</param>
    public RelyingPartyPolicy Policy(string name) => _rego?.Named(name) ?? RelyingPartyPolicy.Default;

    /// <summary>What is expected of a machine that answers this challenge now; null with a reason where the reference values no longer hold.</summary>
    public MachineExpectations? Expectations(EvaluationTime time, TrustSet trust, string? challenge, bool hasKey, out string? fault)
    {
        var expect = Document;
        var references = References(time, out fault);
        if (fault is not null)
        {
            return null;
        }

        return new MachineExpectations
        {
            Basis = new TrustBasis(time, trust, expect.DangerouslySkipRevocation ? RevocationChecking.DangerouslySkipped : RevocationChecking.Required),
            Challenge = hasKey ? challenge : null,
            Nonce = !hasKey && Nonce.TryParse(challenge, out var nonce, out _) ? nonce : null,
            References = references,
            Phase = _phase,
            Gpus = expect.Gpus,
            Switches = expect.Switches,
            RequireProcessor = expect.Processor,
            RequiredBinding = expect.Binding is "boot-event" ? GpuBinding.BootEvent : null,
            DangerouslyAcceptedBinding = expect.Binding switch { "evidence-hash" => GpuBinding.EvidenceHash, "none" => GpuBinding.None, _ => null },
            RequireSecureBoot = expect.SecureBoot,
            RequireLog = expect.BootLog,
            RequireFwid = expect.Fwid,
            MaximumCollateralAge = expect.CollateralHours is { } hours ? TimeSpan.FromHours(hours) : null,
            AcceptVlek = expect.AcceptVlek,
            DangerouslyAcceptHeldRimSigner = expect.DangerouslyAcceptHeldRimSigner,
            DangerouslyAcceptedTcbStatuses = [.. expect.DangerouslyAcceptTcb.Select(Enum.Parse<TcbStatus>)],
        };
    }

    /// <summary>The name of the image that the reference values are of, without its version; null where there are none, or they do not hold at that time.</summary>
    public string? ImageName(EvaluationTime time) => References(time, out _)?.Manifest.ImageName;

    /// <summary>The weakenings of a verdict that this policy does not accept.</summary>
    public ImmutableArray<string> Unaccepted(Verdict verdict) => [.. verdict.Weakened.Where(name => !Document.AcceptWeakened.Contains(name, StringComparer.Ordinal))];

    // A manifest ends: it is judged anew each minute, and not once a request.
    private ReferenceValues? References(EvaluationTime time, out string? fault)
    {
        fault = null;
        if (_references is null)
        {
            return null;
        }

        if (time.Source is TimeSource.System && _read is { } read && time.Instant - read.At is { Ticks: >= 0 } age && age < TimeSpan.FromMinutes(1))
        {
            return read.Values;
        }

        if (!ReferenceValues.TryRead(_references, _referenceKeys, time, Document.ReferenceSequence, out var values, out var findings))
        {
            fault = string.Join("; ", findings.Where(finding => finding.State is CheckState.Failed).Select(finding => $"{finding.Id}: {finding.Reason}"));
            return null;
        }

        if (time.Source is TimeSource.System)
        {
            _read = new ReadReferences(time.Instant, values);
        }

        return values;
    }

    /// <summary>SHA-384 of a manifest: of a signed one its text, of an unsigned one its JSON without white space.</summary>
    public static Digest DigestOf(JsonElement manifest) =>
        new(SHA384.HashData(manifest.ValueKind is JsonValueKind.String ? Encoding.UTF8.GetBytes(manifest.GetString()!) : JsonSerializer.SerializeToUtf8Bytes(manifest)));

    private static bool TryCompile(PolicyRego source, [NotNullWhen(true)] out RegoPolicy? rego, out string? fault)
    {
        rego = null;
        fault = null;
        if (source.Modules.IsEmpty)
        {
            fault = "modules: at least one is expected";
            return false;
        }

        IReadOnlyList<(string, PolicyDocument)> documents = [];
        if (source.Data is { } data)
        {
            if (!PolicyDocument.TryParse(BytesOf(data), out var document, out var problem))
            {
                fault = $"data: {problem}";
                return false;
            }

            documents = [("data", document)];
        }

        var read = RegoPolicy.TryParse([.. source.Modules.Select(module => new PolicyFile(module.Key, Encoding.UTF8.GetBytes(module.Value)))], documents, source.Rule, out rego, out var wrong);
        fault = read ? null : wrong!.ToString();
        return read;
    }

    private static byte[] BytesOf(JsonElement element) =>
        element.ValueKind is JsonValueKind.String ? Encoding.UTF8.GetBytes(element.GetString()!) : JsonMarshal.GetRawUtf8Value(element).ToArray();

    private sealed record ReadReferences(DateTimeOffset At, ReferenceValues Values);
}

using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Assay.Appraisal.Devices;
using Assay.Policy;
using Assay.Rego;
using Assay.Rego.Builtins;
using Assay.Rego.Diagnostics;
using Assay.Rego.Values;
using Assay.Tokens;
using Assay.Wire;

namespace Assay.Policies;

/// <summary>
/// A policy in Rego, as NVIDIA's tools and Trustee take it: <c>data.policy.nv_match</c> over the array of NVIDIA's claims, one object for
/// each device, or any other rule (<c>data.policy.allow</c> is Trustee's) over the Trustee-style EAR of the same result. Only the value
/// true allows.
/// </summary>
public sealed class RegoPolicy
{
    /// <summary>A policy file. NVIDIA's are below 3 kB.</summary>
    public const int MostBytes = 1024 * 1024;

    /// <summary>NVIDIA's rule.</summary>
    public const string NvidiaRule = "data.policy.nv_match";

    /// <summary>Trustee's and OPA's rule.</summary>
    public const string TrusteeRule = "data.policy.allow";

    private const int MostShown = 6;
    private const int LongestValue = 120;

    // Seconds are for policies that are wrong: right ones take microseconds.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    // Trustee's data where no resource is asked for.
    private static readonly RegoObject s_trusteeData = RegoObject.Of(
        ("plugin", new RegoString("resource")), ("resource-path", RegoArray.Empty), ("query", RegoObject.Empty));

    private readonly RegoModule _module;
    private readonly RegoObject? _data;
    private readonly PreparedQuery _query;

    private RegoPolicy(RegoModule module, RegoObject? data, PreparedQuery query, string rule, Digest digest) =>
        (_module, _data, _query, Rule, Digest) = (module, data, query, rule, digest);

    /// <summary>The rule that decides.</summary>
    public string Rule { get; }

    /// <summary>SHA-256 of the file.</summary>
    public Digest Digest { get; }

    /// <summary>Compiles a policy.</summary>
    /// <param name="name">What errors call it, usually the name of its file.</param>
    /// <param name="source">Rego in UTF-8.</param>
    /// <param name="data">Base documents under <c>data</c>, an object; null: none for NVIDIA's rule, Trustee's for the others.</param>
    /// <param name="rule">The rule that decides; null: <see cref="NvidiaRule"/> or <see cref="TrusteeRule"/>, whichever the policy has.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="fault">Why it is not one.</param>
    public static bool TryParse(
        string name, ReadOnlySpan<byte> source, PolicyDocument? data, string? rule, [NotNullWhen(true)] out RegoPolicy? policy, [NotNullWhen(false)] out PolicyFault? fault)
    {
        ArgumentNullException.ThrowIfNull(name);
        policy = null;
        var documents = PolicyDocument.BaseOf(data);
        if (!PolicySource.TryDecode(name, source, out var text))
        {
            fault = new PolicyFault(PolicyFaultKind.NotUtf8, name, "not UTF-8");
            return false;
        }

        if (!RegoModule.TryParse(name, text.Text, out var module, out var error))
        {
            fault = FaultOf(name, [error]);
            return false;
        }

        fault = null;
        if (rule is null)
        {
            if (!KnownRules.TryFind(module.Rules, out rule, out var problem))
            {
                fault = new PolicyFault(PolicyFaultKind.NoRuleNamed, name, $"{problem} in it: name the rule that decides");
            }
        }
        // A query that names no rule of the policy would be answered by something else: by data, or by a constant.
        else if (!module.Rules.Any(path => rule == path || rule.StartsWith(path + ".", StringComparison.Ordinal) && IsPath(rule)))
        {
            fault = new PolicyFault(PolicyFaultKind.UnknownRule, name, $"{rule} is no rule of it; it has {string.Join(", ", module.Rules.Distinct().Take(MostShown))}", rule);
        }

        if (fault is null && documents is not null && module.FirstRuleIn(documents) is { } covered)
        {
            fault = new PolicyFault(PolicyFaultKind.DataCoverRule, name, $"{covered} stands in the policy and in the data: where the rule is undefined, the data would answer for it. Take it out of the data.", covered);
        }

        if (fault is not null || !TryPrepare(module, documents, rule!, explain: false, out var query, out fault))
        {
            return false;
        }

        policy = new RegoPolicy(module, documents, query, rule!, new Digest(System.Security.Cryptography.SHA256.HashData(source)));
        return true;
    }

    /// <summary>The policy under a name, usually its file's.</summary>
    public RelyingPartyPolicy Named(string id) => new(id, Digest, Decide);

    /// <summary>Asks the rule. What is undefined, no boolean, false, in error or over budget refuses, with its reason.</summary>
    public PolicyDecision Decide(ClaimsView view)
    {
        ArgumentNullException.ThrowIfNull(view);
        // "every device in []" is true: no policy is asked about no device (NVIDIA's permissive ones would accept).
        // A rule for Trustee may be about a processor alone, which is then in its EAR.
        if (view.WhyNoDevices is { } whyNot && !(view.Devices.IsEmpty && view.HasProcessor && Rule != NvidiaRule))
        {
            return Refused(whyNot);
        }

        var document = InputOf(view);
        var result = Evaluate(_query, document, view.At);
        return result switch
        {
            { Error: { } error } => Refused(Printable.Of(error.ToString())),
            { IsTrue: true } => new PolicyDecision { Allowed = true, Reason = $"{Rule} is true over {Subject} of {Count(view.Devices.Length)}" },
            { Value: null } => Refused($"{Rule} is undefined{Why(document, view.At)}"),
            { Value.Kind: RegoKind.Boolean } => Refused($"{Rule} is false{Why(document, view.At)}"),
            // Not the whole document: a policy may make one that takes a gigabyte to write.
            { Value.Kind: RegoKind.Object or RegoKind.Array or RegoKind.Set } => Refused($"{Rule} is {PolicyDocument.KindOf(result.Value)} and no boolean"),
            _ => Refused(Printable.Of($"{Rule} is {PolicyDocument.KindOf(result.Value!)} and no boolean: {Shown(result.Value!)}")),
        };
    }

    /// <summary>The document that the rule sees.</summary>
    internal RegoValue InputOf(ClaimsView view)
    {
        var buffer = new ArrayBufferWriter<byte>(16 * 1024);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            if (Rule == NvidiaRule)
            {
                writer.WriteStartArray();
                foreach (var device in view.Devices)
                {
                    ClaimsView.WriteDevice(writer, device, view.Version);
                }

                writer.WriteEndArray();
            }
            else
            {
                TrusteeEar.WriteClaims(writer, view.Judged, view.Version);
            }
        }

        return RegoJson.TryRead(buffer.WrittenSpan, out var value, out var problem) ? value : throw new InvalidOperationException($"our own claims cannot be read: {problem}");
    }

    private string Subject => Rule == NvidiaRule ? "NVIDIA's claims" : "the EAR";

    private static PolicyDecision Refused(string reason) => new() { Allowed = false, Reason = reason };

    private static string Count(int devices) => devices == 1 ? "1 device" : $"{devices} devices";

    private static EvaluationResult Evaluate(PreparedQuery query, RegoValue document, DateTimeOffset at)
    {
        using var patience = new CancellationTokenSource(s_patience);
        // The policy's clock is the instant of judgement: neither it nor the evidence chooses another.
        var environment = new EvaluationEnvironment { Clock = new FixedClock(at) };
        return query.Evaluate(document, new EvaluationOptions { Environment = environment }, patience.Token);
    }

    private static bool IsPath(string rule) => rule.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.');

    // Evaluated again with a record of every statement: a refusal is rare, and may take its time to say why.
    private string Why(RegoValue document, DateTimeOffset at)
    {
        if (!TryPrepare(_module, _data, Rule, explain: true, out var query, out _))
        {
            return "";
        }

        var stopped = Evaluate(query, document, at).Explanation.Where(statement => statement.Stopped && statement.Location.File == _module.File).ToArray();
        // A comparison tells why; that the calls above it ended there too follows from it.
        var comparisons = stopped.Where(statement => Scalars(statement).Any()).ToArray();
        var shown = (comparisons.Length > 0 ? comparisons : stopped).Take(MostShown).Select(Explained);
        return stopped.Length == 0 ? "" : ": " + string.Join("; ", shown);
    }

    private static string Explained(ExplainedStatement statement)
    {
        var seen = Scalars(statement).Take(MostShown)
            .Select(item => $"{item.Name} is {(item.Value is null ? "undefined" : Shown(item.Value))}").ToArray();
        var text = statement.Text.Length <= LongestValue ? statement.Text : statement.Text[..LongestValue] + "…";
        return Printable.Of($"line {statement.Location.Line}: {text}{(seen.Length == 0 ? "" : $" ({string.Join(", ", seen)})")}");
    }

    private static IEnumerable<SeenValue> Scalars(ExplainedStatement statement) =>
        statement.Seen.Where(item => item.Value is null || item.Value.Kind is not (RegoKind.Object or RegoKind.Array or RegoKind.Set));

    private static string Shown(RegoValue value)
    {
        var text = value.ToString();
        return text.Length <= LongestValue ? text : text[..LongestValue] + "…";
    }

    private static bool TryPrepare(
        RegoModule module, RegoObject? data, string rule, bool explain, [NotNullWhen(true)] out PreparedQuery? query, [NotNullWhen(false)] out PolicyFault? fault)
    {
        query = null;
        var documents = data ?? (rule == NvidiaRule ? null : s_trusteeData);
        using var patience = new CancellationTokenSource(s_patience);
        var budget = new CompileBudget { Cancellation = patience.Token };
        if (!CompiledPolicy.TryCompile([module], documents, out var compiled, out var errors, new CompileOptions { Explain = explain, Budget = budget })
            || !compiled.TryPrepare(rule, out query, out errors, budget))
        {
            fault = FaultOf(module.File, errors);
            return false;
        }

        fault = null;
        return true;
    }

    private static PolicyFault FaultOf(string name, IEnumerable<RegoError> errors) =>
        new(PolicyFaultKind.Errors, name, string.Join('\n', PolicyError.Of(errors).SelectMany(error => error.ToDisplay())));
}

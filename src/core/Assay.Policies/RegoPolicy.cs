using System.Buffers;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
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

    private readonly ImmutableArray<RegoModule> _modules;
    private readonly RegoObject? _data;
    private readonly PreparedQuery _query;
    private readonly string? _missing;

    private RegoPolicy(ImmutableArray<RegoModule> modules, RegoObject? data, PreparedQuery query, string rule, Digest digest)
    {
        (_modules, _data, _query, Rule, Digest) = (modules, data, query, rule, digest);
        _missing = FirstMissing(modules, DocumentsOf(data, rule));
    }

    /// <summary>The rule that decides.</summary>
    public string Rule { get; }

    /// <summary>
    /// What a verdict attributes the decision to. Of one module without data: SHA-256 of its file. Otherwise SHA-256 of a text with one line for each
    /// module and document, sorted: SHA-256 of that file in lower-case hexadecimal.
    /// </summary>
    public Digest Digest { get; }

    private Action<string>? Print { get; init; }

    private Action<ReadOnlyMemory<byte>>? Seen { get; init; }

    private string? DataOption { get; init; }

    /// <summary>Compiles a policy of one module.</summary>
    /// <param name="name">What errors call it, usually the name of its file.</param>
    /// <param name="source">Rego in UTF-8.</param>
    /// <param name="data">Base documents under <c>data</c>, an object; null: none for NVIDIA's rule, Trustee's for the others.</param>
    /// <param name="rule">The rule that decides; null: <see cref="NvidiaRule"/> or <see cref="TrusteeRule"/>, whichever the policy has.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="fault">Why it is not one.</param>
    public static bool TryParse(
        string name, ReadOnlySpan<byte> source, PolicyDocument? data, string? rule, [NotNullWhen(true)] out RegoPolicy? policy, [NotNullWhen(false)] out PolicyFault? fault) =>
        TryParse([new PolicyFile(name, source.ToArray())], data is null ? [] : [("data", data)], rule, out policy, out fault);

    /// <summary>Compiles a policy of several modules, which see one another, and several base documents, which become one.</summary>
    /// <param name="modules">Rego in UTF-8, at least one.</param>
    /// <param name="documents">Objects under <c>data</c>, with the names of their files. Empty: none for NVIDIA's rule, Trustee's for the others. No two say the same thing differently.</param>
    /// <param name="rule">The rule that decides; null: <see cref="NvidiaRule"/> or <see cref="TrusteeRule"/>, whichever the policy has.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="fault">Why it is not one.</param>
    public static bool TryParse(
        IReadOnlyList<PolicyFile> modules, IReadOnlyList<(string Name, PolicyDocument Document)> documents, string? rule,
        [NotNullWhen(true)] out RegoPolicy? policy, [NotNullWhen(false)] out PolicyFault? fault)
    {
        ArgumentNullException.ThrowIfNull(modules);
        ArgumentNullException.ThrowIfNull(documents);
        ArgumentOutOfRangeException.ThrowIfZero(modules.Count, nameof(modules));
        policy = null;
        if (!TryParse(modules, out var parsed, out fault) || !TryMerge(documents, out var data, out fault))
        {
            return false;
        }

        var (name, rules) = (modules[0].Name, parsed.SelectMany(module => module.Rules).Distinct().ToArray());
        if (rule is null)
        {
            if (!KnownRules.TryFind(rules, out rule, out var problem))
            {
                fault = new PolicyFault(PolicyFaultKind.NoRuleNamed, name, $"{problem} in it: name the rule that decides");
            }
        }
        // A query that names no rule of the policy would be answered by something else: by data, or by a constant.
        else if (!rules.Any(path => rule == path || rule.StartsWith(path + ".", StringComparison.Ordinal) && IsPath(rule)))
        {
            fault = new PolicyFault(PolicyFaultKind.UnknownRule, name, $"{rule} is no rule of it; it has {string.Join(", ", rules.Take(MostShown))}", rule);
        }

        foreach (var module in fault is null && data is not null ? parsed : [])
        {
            fault ??= module.FirstRuleIn(data!) is not { } covered ? null
                : new PolicyFault(PolicyFaultKind.DataCoverRule, module.File, $"{covered} is defined in the policy and in the data: where the rule is undefined, the data would be used instead. Remove it from the data.", covered);
        }

        if (fault is not null || !TryPrepare(parsed, data, rule!, explain: false, out var query, out fault))
        {
            return false;
        }

        policy = new RegoPolicy(parsed, data, query, rule!, DigestOf([.. modules.Select(module => new Digest(SHA256.HashData(module.Bytes.Span))), .. documents.Select(one => one.Document.Digest)]));
        return true;
    }

    /// <summary>The same policy, observed.</summary>
    /// <param name="print">Takes the lines of <c>print()</c>, with the place before each; not made printable. Null: they are dropped.</param>
    /// <param name="seen">Takes the document that the rule sees, JSON, each time before it is asked; null for nobody.</param>
    /// <param name="dataOption">How a user of the program gives base documents, for the reason of a refusal that lacks one; null: not said.</param>
    public RegoPolicy With(Action<string>? print, Action<ReadOnlyMemory<byte>>? seen, string? dataOption) =>
        new(_modules, _data, _query, Rule, Digest) { Print = print, Seen = seen, DataOption = dataOption };

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

        var json = WriteInput(view);
        Seen?.Invoke(json);
        var document = Read(json);
        var result = Evaluate(_query, document, view.At, Print);
        return result switch
        {
            { Error: { } error } => Refused(Printable.Of(error.ToString())),
            { IsTrue: true } => new PolicyDecision { Allowed = true, Reason = $"{Rule} is true over {Subject} of {Count(view.Devices.Length)}" },
            { Value: null } => Refused($"{Rule} is undefined{Why(document, view.At)}"),
            { Value.Kind: RegoKind.Boolean } => Refused($"{Rule} is false{Why(document, view.At)}"),
            // Not the whole document: a policy may make one that takes a gigabyte to write.
            { Value.Kind: RegoKind.Object or RegoKind.Array or RegoKind.Set } => Refused($"{Rule} is {PolicyDocument.KindOf(result.Value)} and not a boolean"),
            _ => Refused(Printable.Of($"{Rule} is {PolicyDocument.KindOf(result.Value!)} and not a boolean: {Shown(result.Value!)}")),
        };
    }

    /// <summary>The document that the rule sees.</summary>
    internal RegoValue InputOf(ClaimsView view) => Read(WriteInput(view));

    private static RegoValue Read(ReadOnlyMemory<byte> json) =>
        RegoJson.TryRead(json.Span, out var value, out var problem) ? value : throw new InvalidOperationException($"our own claims cannot be read: {problem}");

    private ReadOnlyMemory<byte> WriteInput(ClaimsView view)
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

        return buffer.WrittenMemory;
    }

    private string Subject => Rule == NvidiaRule ? "NVIDIA's claims" : "the EAR";

    private static PolicyDecision Refused(string reason) => new() { Allowed = false, Reason = reason };

    private static string Count(int devices) => devices == 1 ? "1 device" : $"{devices} devices";

    private static EvaluationResult Evaluate(PreparedQuery query, RegoValue document, DateTimeOffset at, Action<string>? print)
    {
        using var patience = new CancellationTokenSource(s_patience);
        // The policy's clock is the instant of judgement: neither it nor the evidence chooses another.
        var environment = new EvaluationEnvironment { Clock = new FixedClock(at), Print = print is null ? null : (place, text) => print($"{place}: {text}") };
        return query.Evaluate(document, new EvaluationOptions { Environment = environment }, patience.Token);
    }

    private static bool IsPath(string rule) => rule.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.');

    // Evaluated again with a record of every statement: a refusal is rare, and may take its time to say why.
    private string Why(RegoValue document, DateTimeOffset at)
    {
        // What it printed was told at the first evaluation.
        if (!TryPrepare(_modules, _data, Rule, explain: true, out var query, out _))
        {
            return "";
        }

        var stopped = Evaluate(query, document, at, print: null).Explanation.Where(statement => statement.Stopped && _modules.Any(module => module.File == statement.Location.File)).ToArray();
        // A comparison tells why; that the calls above it ended there too follows from it.
        var comparisons = stopped.Where(statement => Scalars(statement).Any()).ToArray();
        var shown = (comparisons.Length > 0 ? comparisons : stopped).Take(MostShown).Select(Explained);
        var missing = _missing is null ? "" : Printable.Of($"; the policy reads {_missing}, and no base document has it{(DataOption is null ? "" : $": give one with {DataOption}")}");
        return (stopped.Length == 0 ? "" : ": " + string.Join("; ", shown)) + missing;
    }

    private string Explained(ExplainedStatement statement)
    {
        var seen = Scalars(statement).Take(MostShown)
            .Select(item => $"{item.Name} is {(item.Value is null ? "undefined" : Shown(item.Value))}").ToArray();
        var text = statement.Text.Length <= LongestValue ? statement.Text : statement.Text[..LongestValue] + "…";
        return Printable.Of($"{(_modules.Length == 1 ? "" : $"{statement.Location.File} ")}line {statement.Location.Line}: {text}{(seen.Length == 0 ? "" : $" ({string.Join(", ", seen)})")}");
    }

    private static IEnumerable<SeenValue> Scalars(ExplainedStatement statement) =>
        statement.Seen.Where(item => item.Value is null || item.Value.Kind is not (RegoKind.Object or RegoKind.Array or RegoKind.Set));

    private static string Shown(RegoValue value)
    {
        var text = value.ToString();
        return text.Length <= LongestValue ? text : text[..LongestValue] + "…";
    }

    private static bool TryPrepare(
        ImmutableArray<RegoModule> modules, RegoObject? data, string rule, bool explain, [NotNullWhen(true)] out PreparedQuery? query, [NotNullWhen(false)] out PolicyFault? fault)
    {
        query = null;
        var documents = DocumentsOf(data, rule);
        using var patience = new CancellationTokenSource(s_patience);
        var budget = new CompileBudget { Cancellation = patience.Token };
        if (!CompiledPolicy.TryCompile(modules, documents, out var compiled, out var errors, new CompileOptions { Explain = explain, Budget = budget })
            || !compiled.TryPrepare(rule, out query, out errors, budget))
        {
            fault = FaultOf(modules[0].File, errors);
            return false;
        }

        fault = null;
        return true;
    }

    private static RegoObject? DocumentsOf(RegoObject? data, string rule) => data ?? (rule == NvidiaRule ? null : s_trusteeData);

    private static bool TryParse(IReadOnlyList<PolicyFile> files, out ImmutableArray<RegoModule> modules, [NotNullWhen(false)] out PolicyFault? fault)
    {
        var (parsed, errors) = (ImmutableArray.CreateBuilder<RegoModule>(), new List<RegoError>());
        (modules, fault) = ([], null);
        foreach (var file in files)
        {
            if (!PolicySource.TryDecode(file.Name, file.Bytes.Span, out var text))
            {
                fault = new PolicyFault(PolicyFaultKind.NotUtf8, file.Name, "not UTF-8");
                return false;
            }

            if (RegoModule.TryParse(file.Name, text.Text, out var module, out var error))
            {
                parsed.Add(module);
            }
            else
            {
                errors.Add(error);
            }
        }

        modules = parsed.ToImmutable();
        fault = errors.Count == 0 ? null : FaultOf(files[0].Name, errors);
        return fault is null;
    }

    // Whoever writes one document of several must not be able to replace what another says.
    private static bool TryMerge(IReadOnlyList<(string Name, PolicyDocument Document)> documents, out RegoObject? data, [NotNullWhen(false)] out PolicyFault? fault)
    {
        (data, fault) = (null, null);
        foreach (var (name, document) in documents)
        {
            var added = PolicyDocument.BaseOf(document)!;
            if (data is null)
            {
                data = added;
            }
            else if (Merged(data, added, "data", out var conflict) is { } merged)
            {
                data = merged;
            }
            else
            {
                fault = new PolicyFault(PolicyFaultKind.DataConflict, name, $"{conflict} has a different value in an earlier document: define it once");
                return false;
            }
        }

        return true;
    }

    private static RegoObject? Merged(RegoObject one, RegoObject other, string path, out string? conflict)
    {
        conflict = null;
        var pairs = one.ToDictionary(pair => pair.Key, pair => pair.Value);
        foreach (var (key, value) in other)
        {
            if (!pairs.TryGetValue(key, out var held) || held.Equals(value))
            {
                pairs[key] = value;
            }
            else if (held is RegoObject inner && value is RegoObject added && Merged(inner, added, $"{path}.{(key as RegoString)?.Value}", out conflict) is { } merged)
            {
                pairs[key] = merged;
            }
            else
            {
                conflict ??= $"{path}.{(key as RegoString)?.Value}";
                return null;
            }
        }

        return RegoObject.From(pairs);
    }

    // Two files of one content are one statement, in whatever order they are given.
    private static Digest DigestOf(ImmutableArray<Digest> files) => files is [var only] ? only
        : new Digest(SHA256.HashData(System.Text.Encoding.ASCII.GetBytes(string.Concat(files.Select(file => $"{file}\n").Order(StringComparer.Ordinal)))));

    // Neither a rule nor a document answers for it. A hint: a policy may ask for what need not be there.
    private static string? FirstMissing(ImmutableArray<RegoModule> modules, RegoObject? data)
    {
        var rules = modules.SelectMany(module => module.Rules.Append(module.Package)).ToHashSet(StringComparer.Ordinal);
        return modules.SelectMany(module => module.DataPaths).FirstOrDefault(path =>
            !rules.Any(rule => rule == path || rule.StartsWith(path + ".", StringComparison.Ordinal) || path.StartsWith(rule + ".", StringComparison.Ordinal))
            && path.Split('.').Skip(1).Aggregate((RegoValue?)data, (place, word) => place?.Lookup(new RegoString(word))) is null);
    }

    private static PolicyFault FaultOf(string name, IEnumerable<RegoError> errors) =>
        new(PolicyFaultKind.Errors, name, string.Join('\n', PolicyError.Of(errors).SelectMany(error => error.ToDisplay())));
}

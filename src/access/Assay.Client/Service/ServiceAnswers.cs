using System.Collections.Immutable;
using System.Text.Json;

namespace Assay.Client.Service;

/// <summary>A challenge of the attestation service.</summary>
/// <param name="Id">Goes back with the evidence.</param>
/// <param name="Nonce">What evidence answers: 64 hexadecimal digits.</param>
/// <param name="ExpiresAt">When it is too late.</param>
public sealed record ServiceChallenge(string Id, string Nonce, DateTimeOffset ExpiresAt)
{
    internal static ServiceChallenge Read(JsonElement root) => new(Text(root, "id"), NonceOf(root), root.GetProperty("expiresAt").GetDateTimeOffset());

    internal static string Text(JsonElement root, string name) => root.GetProperty(name).GetString() is { Length: > 0 } text ? text : throw new FormatException($"{name} is empty");

    // Nothing else is signed for it: another verifier's challenge may have another form.
    private static string NonceOf(JsonElement root) => Text(root, "nonce") is { Length: 64 } nonce && nonce.All(c => char.IsAsciiHexDigitLower(c)) ? nonce : throw new FormatException("nonce: 64 hexadecimal digits are expected");
}

/// <summary>What a machine that passed gets.</summary>
/// <param name="Appraisal">The appraisal's id.</param>
/// <param name="Policy">Which policy decided.</param>
/// <param name="PolicyVersion">Which version of it.</param>
/// <param name="Form"><c>eat</c>, <c>ear-nvidia</c>, <c>ear-trustee</c>, <c>bundle</c>, or <c>cloud</c>: then the text is a JWE for the attested key.</param>
/// <param name="Text">The token. Its holder is believed by relying parties that ask for no more: keep it secret.</param>
/// <param name="ExpiresAt">When it ends.</param>
public sealed record ServiceToken(string Appraisal, string Policy, long PolicyVersion, string Form, string Text, DateTimeOffset ExpiresAt)
{
    /// <summary>Without the text: what is logged by mistake is no credential.</summary>
    public override string ToString() => $"{Form} of appraisal {Appraisal}, policy {Policy} version {PolicyVersion}, until {ExpiresAt:O}";
}

/// <summary>A key that a broker released.</summary>
/// <param name="Key">Its name.</param>
/// <param name="Version">Which version.</param>
/// <param name="Jwe">The secret, a compact JWE to the key that the evidence names.</param>
/// <param name="Binding">How GPU and confidential VM are bound: <c>boot-event</c>, or a weaker tier that the policy names.</param>
/// <param name="LogPosition">Where the release is in the broker's log.</param>
/// <param name="LogEntry">The entry, JSON, as it is hashed.</param>
/// <param name="LogProof">That it is in the log (C2SP tlog-proof).</param>
public sealed record ReleasedKey(string Key, long Version, string Jwe, string Binding, long LogPosition, ReadOnlyMemory<byte> LogEntry, string LogProof)
{
    /// <summary>Without the JWE.</summary>
    public override string ToString() => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Key} version {Version}, binding {Binding}, entry {LogPosition} of the broker's log");
}

/// <summary>The service refused, or could not be asked.</summary>
public sealed class ServiceRefusedException : Exception
{
    /// <param name="problem">Permanent: docs/reference/service.md lists them; <c>urn:assay:unreachable</c> where the service could not be asked.</param>
    /// <param name="status">HTTP's, or 0 where there was no answer.</param>
    /// <param name="detail">What the service said.</param>
    /// <param name="failed">The checks that failed or were not made, or the weakenings that were not accepted, where evidence was refused.</param>
    /// <param name="appraisal">The appraisal, where there was one: readers of its tenant see what was found and expected.</param>
    /// <param name="logPosition">The entry of the broker's log, where a release was denied.</param>
    /// <param name="inner">What the system said.</param>
    public ServiceRefusedException(string problem, int status, string detail, ImmutableArray<string> failed = default, string? appraisal = null, long? logPosition = null, Exception? inner = null)
        : base(failed.IsDefaultOrEmpty ? $"{problem}: {detail}" : $"{problem}: {detail.TrimEnd('.')}: {string.Join(", ", failed)}", inner) =>
        (Problem, Status, Failed, Appraisal, LogPosition) = (problem, status, failed.IsDefault ? [] : failed, appraisal, logPosition);

    /// <summary>The problem's type.</summary>
    public string Problem { get; }

    /// <summary>HTTP's, or 0 where there was no answer.</summary>
    public int Status { get; }

    /// <summary>Ids of the checks that failed or were not made, or of weakenings that were not accepted.</summary>
    public ImmutableArray<string> Failed { get; }

    /// <summary>Id of the appraisal; null: nothing was judged.</summary>
    public string? Appraisal { get; }

    /// <summary>The entry of the broker's log; null: nothing was logged.</summary>
    public long? LogPosition { get; }

    /// <summary>Whether the same may be asked again later: the service was busy, or could not be reached.</summary>
    public bool IsTransient => Status is 0 or 429 or 502 or 503 or 504;
}

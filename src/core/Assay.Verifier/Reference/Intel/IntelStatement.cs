using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Reference.Intel;

/// <summary>Which statement a body of Intel's service holds.</summary>
public enum IntelStatementKind
{
    /// <summary>None.</summary>
    None,

    /// <summary>TCB information: member <c>tcbInfo</c>.</summary>
    TcbInfo,

    /// <summary>Identity of a quoting enclave: member <c>enclaveIdentity</c>.</summary>
    QeIdentity,
}

/// <summary>JSON that Intel signed, with its signature and its signer's certificates, as bytes. Believed by nobody yet.</summary>
/// <param name="Content">Exactly the bytes that were signed.</param>
/// <param name="Signature">R‖S, 32 bytes each, big-endian.</param>
/// <param name="IssuerChain">PEM: the TCB signing certificate, then the root.</param>
public sealed record IntelStatement(ReadOnlyMemory<byte> Content, ReadOnlyMemory<byte> Signature, ReadOnlyMemory<byte> IssuerChain)
{
    private const int SignatureSize = 64;

    /// <summary>
    /// Reads a body of Intel's service, <c>{"tcbInfo":{…},"signature":"…"}</c> or <c>{"enclaveIdentity":{…},"signature":"…"}</c>. What was
    /// signed is the member's text as it stands, so it is cut out and not written again.
    /// </summary>
    /// <param name="body">The body.</param>
    /// <param name="issuerChain">PEM, as the response's header has it after URL decoding.</param>
    /// <param name="kind">Which member it must hold.</param>
    /// <param name="statement">The statement.</param>
    /// <param name="fault">Why there is none.</param>
    public static bool TryParseBody(
        ReadOnlySpan<byte> body, ReadOnlyMemory<byte> issuerChain, IntelStatementKind kind,
        [NotNullWhen(true)] out IntelStatement? statement, [NotNullWhen(false)] out ParseFault? fault)
    {
        statement = null;
        var member = kind is IntelStatementKind.TcbInfo ? "tcbInfo" : "enclaveIdentity";
        fault = body.Length > Limits.IntelStatementBytes ? new ParseFault(member, 0, $"larger than {Limits.IntelStatementBytes} bytes") : null;
        if (fault is not null)
        {
            return false;
        }

        using var document = StrictJson.Read(body, out fault);
        if (document is null)
        {
            fault ??= new ParseFault(member, 0, "empty");
            return false;
        }

        var fields = new JsonFields();
        var content = fields.Object(document.RootElement, member);
        var signature = fields.Hex(document.RootElement, "signature", SignatureSize);
        fields.Require(document.RootElement.ValueKind is JsonValueKind.Object && document.RootElement.EnumerateObject().Count() == 2, member, "there are other members besides it and \"signature\"");
        fault = fields.Fault;
        statement = fault is null ? new IntelStatement(Encoding.UTF8.GetBytes(content.GetRawText()), signature, issuerChain) : null;
        return statement is not null;
    }

    internal Digest Identity => Digest.Sha256([.. SHA256.HashData(Content.Span), .. SHA256.HashData(Signature.Span), .. SHA256.HashData(IssuerChain.Span)]);
}

/// <summary>
/// Intel's statement, proven: its signer's chain ends at Intel's root and its key signed these bytes. It says nothing about time or
/// revocation. The only way to get one is <see cref="Authenticate"/>.
/// </summary>
internal sealed class AuthenticStatement
{
    private AuthenticStatement(IntelStatement statement, CertificationPath path) => (Content, Path) = (statement.Content, path);

    /// <summary>The bytes that were signed.</summary>
    public ReadOnlyMemory<byte> Content { get; }

    /// <summary>Who signed them.</summary>
    public CertificationPath Path { get; }

    /// <summary>What the content says, parsed once; null until then.</summary>
    internal object? Parsed { get; set; }

    /// <summary>Both questions: is the chain trusted, is the signature its leaf's. The second stops when the first fails.</summary>
    internal static (AuthenticStatement? Statement, string? ChainFault, string? SignatureFault) Authenticate(IntelStatement statement, TrustSet trust, VerifierCache cache)
    {
        var identity = statement.Identity;
        if (cache.TryGetAuthentic<AuthenticStatement>(identity, trust.Identity, out var known))
        {
            return (known, null, null);
        }

        if (!cache.TryReadChain(statement.IssuerChain.Span, out var chain, out var chainFault)
            || !CertificationPath.TryCertify(chain, trust, PathPurpose.IntelTcbSigning, cache, out var path, out chainFault))
        {
            return (null, chainFault, null);
        }

        if (!path.Leaf.Key.Verifies(statement.Content.Span, statement.Signature.Span, SignatureAlgorithm.EcdsaSha256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation, cache.Meter))
        {
            return (null, null, $"the signature was not made by {path.Leaf.Subject.CommonName} over these bytes: they were altered, or re-encoded by a tool on the way");
        }

        var authentic = new AuthenticStatement(statement, path);
        cache.AddAuthentic(identity, trust.Identity, authentic);
        return (authentic, null, null);
    }
}

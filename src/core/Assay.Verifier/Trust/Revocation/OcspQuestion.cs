using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Trust.Revocation;

/// <summary>
/// An OCSPRequest (RFC 6960 §4.1.1) as a cache or responder reads it: which certificates are asked about, and whether the asker wants an
/// answer made for this request. Version, requestor's name, other extensions and a signature are read over: nothing here depends on them.
/// </summary>
/// <param name="CertIds">1 to <see cref="Limits.OcspSingleResponses"/>.</param>
/// <param name="Nonce">The octets of the nonce extension; null when it is absent.</param>
public sealed record OcspQuestion(ImmutableArray<OcspCertId> CertIds, ReadOnlyMemory<byte>? Nonce)
{
    /// <summary>Reads one request. Trailing bytes are a fault.</summary>
    public static bool TryParse(ReadOnlySpan<byte> der, [NotNullWhen(true)] out OcspQuestion? question, [NotNullWhen(false)] out ParseFault? fault)
    {
        question = null;
        fault = der.Length > Limits.OcspRequestBytes ? new ParseFault("OCSPRequest", 0, $"larger than {Limits.OcspRequestBytes} bytes") : null;
        if (fault is not null)
        {
            return false;
        }

        var faults = new DerFaults();
        var reader = new DerReader(der, faults);
        var request = reader.Sequence("OCSPRequest");
        var body = request.Sequence("tbsRequest");
        Skip(ref body, DerTag.ContextConstructed(0), "version");
        Skip(ref body, DerTag.ContextConstructed(1), "requestorName");
        var ids = ReadList(ref body);
        var nonce = ReadNonce(ref body);
        body.End("tbsRequest");
        Skip(ref request, DerTag.ContextConstructed(0), "optionalSignature");
        request.End("OCSPRequest");
        reader.End("OCSPRequest");
        reader.Require(ids.Length > 0, "requestList", "empty");
        fault = faults.First;
        question = fault is null ? new OcspQuestion(ids, nonce) : null;
        return question is not null;
    }

    private static ImmutableArray<OcspCertId> ReadList(ref DerReader body)
    {
        var ids = ImmutableArray.CreateBuilder<OcspCertId>();
        var list = body.Sequence("requestList");
        while (list.HasMore)
        {
            list.Require(ids.Count < Limits.OcspSingleResponses, "requestList", "too many");
            var item = list.Sequence("Request");
            var id = OcspCertId.Read(ref item);
            Skip(ref item, DerTag.ContextConstructed(0), "singleRequestExtensions");
            item.End("Request");
            if (list.Fault is null)
            {
                ids.Add(id);
            }
        }

        return ids.ToImmutable();
    }

    private static byte[]? ReadNonce(ref DerReader body)
    {
        byte[]? nonce = null;
        if (!body.NextIs(DerTag.ContextConstructed(2)))
        {
            return null;
        }

        var wrapped = body.Nested(DerTag.ContextConstructed(2), "requestExtensions");
        var list = wrapped.Sequence("requestExtensions");
        var count = 0;
        while (list.HasMore)
        {
            list.Require(++count <= Limits.CertificateExtensions, "requestExtensions", "too many");
            var item = list.Sequence("extension");
            var isNonce = item.Oid("extnID").SequenceEqual(Oids.OcspNonce);
            if (item.NextIs(DerTag.Boolean))
            {
                item.Boolean("critical");
            }

            var value = item.Value(DerTag.OctetString, "extnValue");
            item.End("extension");
            list.Require(!isNonce || nonce is null, "nonce", "repeated");
            nonce = isNonce ? value.ToArray() : nonce;
        }

        wrapped.End("requestExtensions");
        return nonce;
    }

    private static void Skip(ref DerReader reader, byte tag, string field)
    {
        if (reader.NextIs(tag))
        {
            reader.AnyElement(field);
        }
    }
}

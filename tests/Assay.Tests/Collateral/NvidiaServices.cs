using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Collateral.Http;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;
using Microsoft.AspNetCore.Http;

namespace Assay.Tests.Collateral;

/// <summary>One simulated GPU, with the services that NVIDIA runs for it; tests replace one answer by another.</summary>
public sealed class NvidiaServices : IDisposable
{
    private readonly byte[] _nonce = SHA256.HashData("collateral over HTTP"u8);
    private readonly SimulatedAuthority _authority = SimulatedAuthority.Create(Now);
    private readonly SimulatedDevice _device;

    public NvidiaServices()
    {
        _device = SimulatedDevice.Create(_authority, DeviceProfile.Hopper580);
        Set = SimulatedSet.Of(_authority, _device, _nonce, Now);
        Assert.True(EvidenceFile.TryParse(SimulatedEvidence.ToJson(Set.Evidence), "evidence.json", out var devices, out var fault), fault?.ToString());
        Assert.True(TrustSet.TryParse(SimulatedAnchors.ToJson(_authority, "tests"), out var trust, out fault), fault?.ToString());
        Assert.True(Nonce.TryCreate(_nonce, out var nonce));
        Evidence = devices;
        Expectations = new DeviceExpectations { Nonce = nonce, Basis = new TrustBasis(new EvaluationTime(Now, TimeSource.System), trust, RevocationChecking.Required) };
        Known = [.. Set.Ocsp.Keys];
    }

    public static DateTimeOffset Now { get; } = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    public SimulatedSet Set { get; }

    public ImmutableArray<DeviceEvidence> Evidence { get; }

    public DeviceExpectations Expectations { get; }

    /// <summary>The certificates that the responder knows.</summary>
    internal ImmutableArray<SimulatedCertificate> Known { get; }

    internal SimulatedRim DriverRim => Set.Rims.Single(rim => rim.Id.Contains("DRIVER", StringComparison.Ordinal));

    internal SimulatedRim VbiosRim => Set.Rims.Single(rim => rim.Id.Contains("VBIOS", StringComparison.Ordinal));

    internal SimulatedCertificate Brom => _device.Certificate.Issuer!;

    public void Dispose()
    {
        _device.Dispose();
        _authority.Dispose();
    }

    /// <summary>Everything that the device's verification needs, right.</summary>
    internal Task AnswerAsync(HttpContext context) =>
        context.Request.Method == HttpMethods.Post ? AnswerOcspAsync(context) : AnswerRimAsync(context);

    internal Task AnswerRimAsync(HttpContext context, Func<SimulatedRim, ReadOnlyMemory<byte>>? content = null)
    {
        var id = context.Request.Path.Value!["/v1/rim/".Length..];
        if (id == "ids")
        {
            return context.Response.WriteAsJsonAsync(new { ids = Set.Rims.Select(rim => rim.Id), request_id = "1", last_updated = "2026-11-01" });
        }

        var rim = Set.Rims.SingleOrDefault(rim => rim.Id == id);
        context.Response.StatusCode = rim is null ? 404 : 200;
        return rim is null
            ? context.Response.WriteAsJsonAsync(new { message = "RIM_NOT_FOUND" })
            : context.Response.WriteAsync(RimJson(id, (content ?? (one => one.Xml))(rim).Span));
    }

    internal async Task AnswerOcspAsync(HttpContext context, Func<SimulatedCertificate, OcspAnswer>? answer = null, bool echoNonce = true)
    {
        var request = await BodyAsync(context);
        await SendAsync(context, SimulatedOcsp.Answer(request, Known, answer ?? Good, echoNonce));
    }

    internal static async Task SendAsync(HttpContext context, ReadOnlyMemory<byte> ocsp)
    {
        context.Response.ContentType = "application/ocsp-response";
        await context.Response.BodyWriter.WriteAsync(ocsp);
    }

    internal static async Task<byte[]> BodyAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        return body.ToArray();
    }

    // The service does not escape the "+" of base64, which the framework's default would.
    private static readonly JsonSerializerOptions s_json = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    internal static string RimJson(string id, ReadOnlySpan<byte> rim) => JsonSerializer.Serialize(new
    {
        id,
        rim = Convert.ToBase64String(rim),
        sha256 = Convert.ToHexStringLower(SHA256.HashData(rim)),
        last_updated = "2026-11-01T00:00:00Z",
        rim_format = "TCG",
        request_id = "00000000-0000-0000-0000-000000000001",
    }, s_json);

    internal static OcspAnswer Good(SimulatedCertificate certificate) => new()
    {
        Certificate = certificate,
        Status = Assay.Simulator.CertificateStatus.Good,
        ThisUpdate = Now.AddHours(-1),
        NextUpdate = Now.AddDays(1),
    };

    internal static OcspAnswer Revoked(SimulatedCertificate certificate, Assay.Simulator.RevocationReason reason) =>
        Good(certificate) with { Status = Assay.Simulator.CertificateStatus.Revoked, Reason = reason };

    /// <summary>Asks both services at this address and decides.</summary>
    internal async Task<Verdict> VerifyAsync(Loopback server, CollateralHttpOptions? options = null)
    {
        options ??= Loopback.Patient;
        using var rims = new RimServiceClient(server.Address, options);
        using var ocsp = new OcspClient(server.Address, options);
        var appraiser = new Appraiser(rims, ocsp, new VerifierCache());
        return DefaultPolicy.Decide(await appraiser.AppraiseAsync(Evidence, Expectations, null, TestContext.Current.CancellationToken));
    }

    /// <summary>How the certificate's status is asked for.</summary>
    internal static RevocationQuery Query(SimulatedCertificate certificate)
    {
        Assert.True(Certificate.TryParse(certificate.Der.Span, out var subject, out var fault), fault?.ToString());
        Assert.True(Certificate.TryParse(certificate.Issuer!.Der.Span, out var issuer, out fault), fault?.ToString());
        return new RevocationQuery(subject, issuer);
    }
}

using System.Security.Cryptography;
using Assay.Checks;
using Assay.Collateral.Items;
using Assay.Collateral.Upstreams;
using Assay.Simulator;
using Assay.Trust;
using Microsoft.AspNetCore.Http;

namespace Assay.Tests.Collateral;

/// <summary>A simulated TDX platform and simulated SEV-SNP chips, with the services that Intel and AMD run for them.</summary>
public sealed class ProcessorServices : IDisposable
{
    private readonly List<string> _folders = [];

    public ProcessorServices()
    {
        Intel = SimulatedIntel.Create(Now);
        Amd = SimulatedAmd.Create(Now);
        ReportData = SHA512.HashData("processors behind a proxy"u8);
        Tdx = SimulatedTdx.Create(Intel, 4, false, ReportData);
        Milan = SimulatedSnp.Create(Amd, SnpLine.Milan, 3, vlek: false, ReportData);
        Turin = SimulatedSnp.Create(Amd, SnpLine.Turin, 5, vlek: false, ReportData);
        Cloud = SimulatedSnp.Create(Amd, SnpLine.Genoa, 3, vlek: true, ReportData);
        Pcs = SimulatedPcs.Of(Tdx);
        Kds = SimulatedKds.Of(Amd, Milan, Turin);
        Trust = TrustSet.TryParse(CpuAnchors.ToJson("tests", Intel, Amd), out var trust, out var fault) ? trust : throw new InvalidOperationException(fault.ToString());
    }

    public static DateTimeOffset Now { get; } = EvaluationTime.ReleaseDate.AddDays(2).AddHours(12);

    public SimulatedIntel Intel { get; }

    public SimulatedAmd Amd { get; }

    public byte[] ReportData { get; }

    public SimulatedTdx Tdx { get; }

    public SimulatedSnp Milan { get; }

    public SimulatedSnp Turin { get; }

    /// <summary>A guest whose report a VLEK signs.</summary>
    public SimulatedSnp Cloud { get; }

    public SimulatedPcs Pcs { get; }

    public SimulatedKds Kds { get; }

    public TrustSet Trust { get; }

    public void Dispose() => _folders.ForEach(folder => Directory.Delete(folder, recursive: true));

    internal string NewFolder()
    {
        _folders.Add(Directory.CreateTempSubdirectory("assay-processors-").FullName);
        return _folders[^1];
    }

    /// <summary>Both services, right.</summary>
    internal SimulatedAnswer Answer(HttpRequest request)
    {
        var path = request.Path.Value!;
        return path == "/root.der" ? new SimulatedAnswer(200, "application/pkix-crl", Pcs.RootList, [])
            : path.StartsWith("/vcek/", StringComparison.Ordinal) || path.StartsWith("/vlek/", StringComparison.Ordinal) ? Kds.Get(path, request.QueryString.Value!.TrimStart('?'))
            : Pcs.Get(path, name => request.Query[name]);
    }

    internal static async Task SendAsync(HttpContext context, SimulatedAnswer answer)
    {
        context.Response.StatusCode = answer.Status;
        context.Response.ContentType = answer.ContentType;
        foreach (var (name, value) in answer.Headers)
        {
            context.Response.Headers[name] = value;
        }

        await context.Response.BodyWriter.WriteAsync(answer.Body);
    }

    /// <summary>An upstream that is asked for both, with the root's list at an address of its own as Intel has it, or as a PCCS does.</summary>
    internal Task<Loopback> UpstreamAsync(Func<HttpRequest, SimulatedAnswer, SimulatedAnswer>? lie = null) =>
        Loopback.StartAsync(context => SendAsync(context, lie?.Invoke(context.Request, Answer(context.Request)) ?? Answer(context.Request)));

    internal Task<ServedProxy> ServedAsync(Loopback upstream, ManualTime? time = null, string? folder = null, bool asPccs = false, CachePolicy? policy = null) => ServedProxy.StartAsync(
        Trust, time ?? new ManualTime(Now), new UpstreamOptions
        {
            Intel = upstream.Address,
            IntelRootCrl = asPccs ? null : Loopback.Addressed(upstream.Text + "/root.der"),
            Amd = upstream.Address,
        }, folder: folder, policy: policy);
}

using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Cache;
using Assay.Collateral.Items;
using Assay.Endorsements;
using Assay.Reference.Intel;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;
using OcspCertId = Assay.Trust.Revocation.OcspCertId;

namespace Assay.Tests.Collateral;

/// <summary>A clock that tests set. Timers run on the system's.</summary>
internal sealed class ManualTime(DateTimeOffset start) : TimeProvider
{
    private long _ticks = start.UtcTicks;

    public DateTimeOffset Now
    {
        get => new(Volatile.Read(ref _ticks), TimeSpan.Zero);
        set => Volatile.Write(ref _ticks, value.UtcTicks);
    }

    public override DateTimeOffset GetUtcNow() => Now;
}

/// <summary>An upstream that says what a test tells it to, and counts.</summary>
internal sealed class ScriptedUpstream(Func<CollateralQuestion, Task<Fetched<CollateralItem>>> answer) : ICollateralSource
{
    public Func<CollateralQuestion, Task<Fetched<CollateralItem>>> Answer { get; set; } = answer;

    public ConcurrentQueue<CollateralKey> Asked { get; } = new();

    public Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
    {
        Asked.Enqueue(question.Key);
        return Answer(question);
    }

    public void Says(ReadOnlyMemory<byte> body, ReadOnlyMemory<byte> chain = default) => Answer = _ => Task.FromResult(Fetched.Item("test", body, chain));

    public void IsDown() => Answer = question => Task.FromResult(Fetched.Failed("test", "down"));
}

/// <summary>A simulated GPU, its services and a cache before them; for the lies that upstreams tell.</summary>
public sealed class CacheWorld : IDisposable
{
    private readonly ConcurrentBag<string> _folders = [];

    public CacheWorld()
    {
        Authority = SimulatedAuthority.Create(Now);
        Device = SimulatedDevice.Create(Authority, DeviceProfile.Hopper580);
        Set = SimulatedSet.Of(Authority, Device, SHA256.HashData("cache"u8), Now);
        Intel = SimulatedIntel.Create(Now);
        Trust = TrustSet.TryParse(CpuAnchors.ToJson("tests", Intel, null, Authority), out var trust, out var fault) ? trust : throw new InvalidOperationException(fault.ToString());
        Rim = Set.Rims.Single(rim => rim.Id.Contains("DRIVER", StringComparison.Ordinal));
        OtherRim = Set.Rims.Single(rim => rim.Id.Contains("VBIOS", StringComparison.Ordinal));
        RimKey = new CollateralKey(CollateralKind.Rim, Rim.Id);
        Brom = Device.Certificate.Issuer!;
    }

    public static DateTimeOffset Now { get; } = EvaluationTime.ReleaseDate.AddDays(2).AddHours(12);

    public SimulatedAuthority Authority { get; }

    public SimulatedDevice Device { get; }

    public SimulatedSet Set { get; }

    public SimulatedIntel Intel { get; }

    public TrustSet Trust { get; }

    public SimulatedRim Rim { get; }

    public SimulatedRim OtherRim { get; }

    public CollateralKey RimKey { get; }

    public SimulatedCertificate Brom { get; }

    /// <summary>The chain of the device, PEM: what an operator gives so that answers about it can be judged.</summary>
    public byte[] DeviceChain => Encoding.ASCII.GetBytes(string.Concat(Device.Certificate.Chain.Select(certificate => certificate.Pem)));

    public void Dispose()
    {
        Device.Dispose();
        Authority.Dispose();
        foreach (var folder in _folders)
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    internal string NewFolder()
    {
        var folder = Directory.CreateTempSubdirectory("assay-cache-").FullName;
        _folders.Add(folder);
        return folder;
    }

    internal CollateralCache Cache(ScriptedUpstream upstream, ManualTime time, string? folder = null, CachePolicy? policy = null)
    {
        var cache = new CollateralCache(new ItemVerification(Trust, new VerifierCache()), folder, upstream, policy ?? Patient, time, refreshes: false);
        Assert.True(new ItemVerification(Trust, new VerifierCache()).TryVerifyAuthority(DeviceChain, out var proof, out var fault), fault?.ToString());
        cache.AddAuthorities(proof);
        return cache;
    }

    /// <summary>The product's policy, on a machine that may be slow.</summary>
    internal static CachePolicy Patient { get; } = new() { Patience = Tests.Patience.Long, StalePatience = Tests.Patience.Long };

    internal ScriptedUpstream Honest() => new(question => Task.FromResult(question.Key == RimKey ? Fetched.Item("test", Rim.Xml) : Fetched.Absent("test", "404")));

    internal static OcspCertId CertId(SimulatedCertificate certificate, OcspHash hash = OcspHash.Sha1)
    {
        var query = NvidiaServices.Query(certificate);
        return OcspCertId.For(query.Certificate, query.Issuer, hash);
    }

    internal static CollateralKey OcspKey(CollateralCache cache, SimulatedCertificate certificate, OcspHash hash = OcspHash.Sha1)
    {
        var id = CertId(certificate, hash);
        Assert.NotNull(cache.FindIssuer(id));
        return ItemVerification.KeyOf(id, cache.FindIssuer(id)!);
    }

    internal static OcspAnswer Good(SimulatedCertificate certificate, DateTimeOffset? at = null, TimeSpan? life = null) => new()
    {
        Certificate = certificate,
        Status = Assay.Simulator.CertificateStatus.Good,
        ThisUpdate = at ?? Now.AddHours(-1),
        NextUpdate = (at ?? Now.AddHours(-1)) + (life ?? TimeSpan.FromDays(7)),
    };

    internal static OcspAnswer Revoked(SimulatedCertificate certificate, DateTimeOffset? at = null) =>
        Good(certificate, at) with { Status = Assay.Simulator.CertificateStatus.Revoked, Reason = Assay.Simulator.RevocationReason.KeyCompromise };

    /// <summary>An answer about the device's issuer, verified as by whoever gets it.</summary>
    internal VerifiedItem Answered(CollateralCache cache, OcspAnswer answer)
    {
        var id = CertId(Brom);
        Assert.True(new ItemVerification(Trust, new VerifierCache()).TryVerifyOcsp(id, cache.FindIssuer(id)!, SimulatedOcsp.Respond(answer), out var item, out var fault), fault?.ToString());
        return item;
    }

    /// <summary>Signed anew by a signer of these dates: what NVIDIA does before a signer ends (S-19).</summary>
    internal SimulatedRim RimBy(DateTimeOffset notBefore, DateTimeOffset notAfter) =>
        SimulatedRim.Sign(RimDraft.For(DeviceProfile.Hopper580).Single(draft => draft.Id == Rim.Id), Authority.IssueRimSigner(DeviceFamily.Hopper, notBefore, notAfter));

    internal static (ReadOnlyMemory<byte> Body, ReadOnlyMemory<byte> Chain) TcbInfo(SimulatedIntel intel, TdxFault fault = TdxFault.None)
    {
        var made = SimulatedTdx.Create(intel, 4, false, new byte[64], fault);
        Assert.True(TdxCollateral.TryParse(made.Collateral, out var collateral, out var why), why?.ToString());
        return (BodyOf(collateral.TcbInfo!, "tcbInfo"), collateral.TcbInfo!.IssuerChain);
    }

    internal static byte[] BodyOf(IntelStatement statement, string member) =>
        Encoding.UTF8.GetBytes($"{{\"{member}\":{Encoding.UTF8.GetString(statement.Content.Span)},\"signature\":\"{Convert.ToHexStringLower(statement.Signature.Span)}\"}}");
}

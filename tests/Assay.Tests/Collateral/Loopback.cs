using System.Collections.Concurrent;
using Assay.Collateral.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Assay.Tests.Collateral;

/// <summary>A server on 127.0.0.1 with one handler, which remembers what it was asked.</summary>
internal sealed class Loopback : IAsyncDisposable
{
    private readonly WebApplication _application;

    private Loopback(WebApplication application, string address) => (_application, Text) = (application, address);

    /// <summary>For example http://127.0.0.1:40123.</summary>
    public string Text { get; }

    public ServiceAddress Address => Addressed(Text);

    public ConcurrentQueue<Asked> Requests { get; } = new();

    public static async Task<Loopback> StartAsync(Func<HttpContext, Task> handler, bool withTls = false)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().UseUrls(withTls ? "https://127.0.0.1:0" : "http://127.0.0.1:0");
        if (withTls)
        {
            builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(options => options.ConfigureHttpsDefaults(https => https.ServerCertificate = TlsCertificate.Value));
        }

        var application = builder.Build();
        Loopback? self = null;
        application.Run(async context =>
        {
            var request = context.Request;
            self!.Requests.Enqueue(new Asked(
                request.Method, request.Path, request.ContentType, request.Headers.Accept, request.Headers.UserAgent, request.Headers.Authorization));
            await handler(context);
        });
        await application.StartAsync(TestContext.Current.CancellationToken);
        var address = application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return self = new Loopback(application, address);
    }

    /// <summary>What a client of it takes: pauses are not made, and a slow machine is waited for.</summary>
    public static CollateralHttpOptions Patient => new() { Time = new HastyTime(), ConnectTimeout = Patience.Long, RequestTimeout = Patience.Long };

    public static ServiceAddress Addressed(string text)
    {
        Assert.True(ServiceAddress.TryParse(text, out var address, out var fault), fault?.ToString());
        return address;
    }

    // Handlers that hang are let go at once.
    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _application.StopAsync(now.Token);
        await _application.DisposeAsync();
    }

    /// <summary>For the name localhost and the address 127.0.0.1, signed by itself.</summary>
    public static Lazy<System.Security.Cryptography.X509Certificates.X509Certificate2> TlsCertificate { get; } = new(() =>
    {
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        var request = new System.Security.Cryptography.X509Certificates.CertificateRequest("CN=loopback", key, System.Security.Cryptography.HashAlgorithmName.SHA256);
        var names = new System.Security.Cryptography.X509Certificates.SubjectAlternativeNameBuilder();
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
    });

    internal sealed record Asked(string Method, string Path, string? ContentType, string? Accept, string? UserAgent, string? Authorization);
}

/// <summary>The system's clock, but pauses of less than a quarter of a minute are remembered and not made.</summary>
internal sealed class HastyTime : TimeProvider
{
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(15);

    public ConcurrentQueue<TimeSpan> Pauses { get; } = new();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime < TimeSpan.Zero || dueTime > s_longestPause)
        {
            return base.CreateTimer(callback, state, dueTime, period);
        }

        Pauses.Enqueue(dueTime);
        return base.CreateTimer(callback, state, TimeSpan.Zero, period);
    }
}

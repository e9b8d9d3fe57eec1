using System.Collections.Immutable;
using Assay.Attestation;
using Assay.Attestation.Policies;
using Assay.Attestation.SelfTests;
using Assay.Broker;
using Assay.Broker.Hosted;
using Assay.Broker.Kbs;
using Assay.Broker.Witnesses;
using Assay.Collateral.Http;
using Assay.Collateral.Items;
using Assay.Collateral.Proxy;
using Assay.Log;
using Assay.Service;
using Assay.Service.Administration;
using Assay.Service.Http;
using Assay.Service.Identity;
using Assay.Service.Judging;
using Assay.Service.Keys;
using Assay.Service.Log;
using Assay.Service.Storage;
using Assay.Trust;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Assay.Server;

/// <summary>The host: composes the roles of a configuration, starts them, and stops them in order.</summary>
internal sealed class ServerHost : IAsyncDisposable
{
    private readonly ServerConfiguration _configuration;
    private readonly ServiceDatabase _database;
    private readonly IKeyWrapper _wrapper;
    private readonly CollateralPart _collateral;
    private readonly Drain _drain;
    private KeyEncryptionKey? _kek;
    private ImmutableArray<PolicyFile> _files = [];
    private WebApplication? _application;
    private TlsFiles? _tls;

    private ServerHost(ServerConfiguration configuration, ServiceDatabase database, IKeyWrapper wrapper, CollateralPart collateral, Drain drain) =>
        (_configuration, _database, _wrapper, _collateral, _drain) = (configuration, database, wrapper, collateral, drain);

    /// <summary>Where it listens, once started; the management address last.</summary>
    public ImmutableArray<string> Addresses => [.. Application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses];

    public IServiceProvider Services => Application.Services;

    private WebApplication Application => _application ?? throw new InvalidOperationException("not started");

    /// <summary>Starts a server.</summary>
    /// <exception cref="ServiceException">It cannot start; the message says why.</exception>
    public static Task<ServerHost> StartAsync(ServerConfiguration configuration, TimeProvider clock, Action<ILoggingBuilder> logging, CancellationToken cancellation) =>
        MakeAsync(configuration, clock, logging, async (host, ending) =>
        {
            await host.RequireSelfTestAsync(ending).ConfigureAwait(false);
            await host.ApplyAsync(ending).ConfigureAwait(false);
            await host.ListenAsync(ending).ConfigureAwait(false);
        }, cancellation);

    /// <summary>Everything but its listeners and the policies of its files, which are read and not applied: what it would decide can be tried.</summary>
    /// <exception cref="ServiceException">It could not start; the message says why.</exception>
    public static Task<ServerHost> PrepareAsync(ServerConfiguration configuration, TimeProvider clock, Action<ILoggingBuilder> logging, CancellationToken cancellation) =>
        MakeAsync(configuration, clock, logging, (_, _) => Task.CompletedTask, cancellation);

    private static async Task<ServerHost> MakeAsync(ServerConfiguration configuration, TimeProvider clock, Action<ILoggingBuilder> logging, Func<ServerHost, CancellationToken, Task> start, CancellationToken cancellation)
    {
        var logs = LoggerFactory.Create(logging);
        var kek = await configuration.Options.Kek.OpenAsync(cancellation).ConfigureAwait(false);
        var host = new ServerHost(configuration, ServiceDatabase.Of(configuration.Options.Database), kek, CollateralPart.Create(configuration, clock, logs), new Drain());
        try
        {
            await host._database.PrepareAsync(SchemaOf(configuration), cancellation).ConfigureAwait(false);
            host._kek = await DatabaseKey.OpenAsync(kek, host._database, cancellation).ConfigureAwait(false);
            await host.BuildAsync(clock, logging, logs, cancellation).ConfigureAwait(false);
            await start(host, cancellation).ConfigureAwait(false);
            return host;
        }
        catch
        {
            await host.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>The schema scripts of the roles of a configuration.</summary>
    public static IEnumerable<SchemaScript> SchemaOf(ServerConfiguration configuration) => [.. configuration.HasAttestation ? AttestationRole.Schema : [], .. configuration.HasBroker || configuration.HasWitness ? BrokerRole.Schema : []];

    /// <summary>Waits for the signal to stop, then says on /readyz that it is not ready, waits for load balancers, and lets requests under way end.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        await Task.Delay(Timeout.Infinite, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _drain.Begin();
        await Task.Delay(TimeSpan.FromSeconds(_configuration.Options.Drain.NotReadySeconds), CancellationToken.None).ConfigureAwait(false);
        await Application.StopAsync(CancellationToken.None).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        if (_application is not null)
        {
            await _application.DisposeAsync().ConfigureAwait(false);
        }

        await _collateral.DisposeAsync().ConfigureAwait(false);
        await _database.DisposeAsync().ConfigureAwait(false);
        _kek?.Dispose();
        _wrapper.Dispose();
        _tls?.Dispose();
    }

    private async Task BuildAsync(TimeProvider clock, Action<ILoggingBuilder> logging, ILoggerFactory logs, CancellationToken cancellation)
    {
        // Empty: an appsettings.json in the folder or a variable may not open a listener of its own.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        // What the framework says may hold what a client sent: paths, queries, and why a token was refused. Wherever lines go, those do not.
        builder.Logging.SetMinimumLevel(LogLevel.Information).AddFilter("Microsoft", LogLevel.Warning).AddFilter("System", LogLevel.Warning)
            .AddFilter("Microsoft.AspNetCore.Authentication", LogLevel.None).AddFilter("Microsoft.AspNetCore.Diagnostics", LogLevel.None)
            // That a start failed is told in words by who asked for it; what ends a running server is critical.
            .AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical);
        logging(builder.Logging);
        builder.Services.AddSystemd();
        builder.Services.AddRouting().AddSingleton(clock);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(_configuration.Options.Drain.RequestSeconds));
        Listen(builder, clock, logs);
        AddServices(builder.Services);
        _application = builder.Build();
        Map(_application);
        await PrepareAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>Tries what would decide: active policies, and those of files in their place.</summary>
    public Task<SelfTestReport> SelfTestAsync(CancellationToken cancellation) => Services.GetRequiredService<SelfTest>().RunAsync([.. _files.Select(file => file.Policy)], cancellation);

    // Before anything of the files is active: with PostgreSQL the other processes would take it over.
    private async Task RequireSelfTestAsync(CancellationToken cancellation)
    {
        if (_configuration is { HasAttestation: true, Options.Attestation.SelfTest: true } && await SelfTestAsync(cancellation).ConfigureAwait(false) is { Passed: false } report)
        {
            var failed = report.Lines.First(line => !line.Passed);
            throw new ServiceException("service.selftest", $"the self test did not pass: {failed.Name}: {failed.Found}, {failed.Expected} was expected; assay-server selftest prints all of it");
        }
    }

    private async Task ListenAsync(CancellationToken cancellation)
    {
        try
        {
            await Application.StartAsync(cancellation).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is IOException or System.Net.Sockets.SocketException)
        {
            throw new ServiceException("service.listen", $"listen on {string.Join(", ", _configuration.Listen.Append(_configuration.Management).Where(end => end is not null))}: {exception.Message}", exception);
        }
    }

    private void Listen(WebApplicationBuilder builder, TimeProvider clock, ILoggerFactory logs)
    {
        var tls = _configuration.Options.Tls is { } files ? _tls = new TlsFiles(files, clock, logs.CreateLogger<TlsFiles>()) : null;
        if (tls is not null)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = 64 * 1024;
            kestrel.Limits.MaxRequestHeadersTotalSize = 32 * 1024;
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
            kestrel.Limits.MinRequestBodyDataRate = new(bytesPerSecond: 4096, gracePeriod: TimeSpan.FromSeconds(5));
            kestrel.Limits.MinResponseDataRate = new(bytesPerSecond: 4096, gracePeriod: TimeSpan.FromSeconds(5));
            kestrel.Limits.MaxConcurrentConnections = 4096;
            foreach (var end in _configuration.Listen)
            {
                kestrel.Listen(end, listener => tls?.Configure(listener));
            }

            if (_configuration.Management is { } management)
            {
                kestrel.Listen(management, listener => listener.Use(next => connection =>
                {
                    connection.Items[typeof(ManagementOnly)] = true;
                    return next(connection);
                }));
            }
        });
    }

    private void AddServices(IServiceCollection services)
    {
        var options = _configuration.Options;
        services.AddSingleton(provider => new VerifierMeters(provider.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>(), _collateral.Verifier));
        services.AddSingleton(_drain).AddSingleton(new ReadyTerms(NeedsKek: _configuration.HasBroker));
        services.AddServiceKernel(new ServiceTerms
        {
            Database = _database,
            Kek = _kek!,
            Authentication = options.Authentication,
            ClientRoots = _tls?.ClientRoots ?? [],
            Limits = options.Limits,
            SigningKeys = new SigningKeyTerms { Lead = TimeSpan.FromSeconds(options.Signing.LeadSeconds), Overlap = TimeSpan.FromSeconds(options.Signing.OverlapSeconds) },
        });
        if (_configuration.HasAttestation)
        {
            services.AddAttestation(TermsOf(options.Attestation), _collateral.Verifier);
        }

        if (_configuration.HasBroker)
        {
            services.AddBroker(
                new BrokerTerms
                {
                    Issuer = _configuration.Issuer!,
                    Trust = _configuration.Trust,
                    Collateral = _collateral.Source(asksForStatus: false),
                    LogOrigin = options.Broker.LogOrigin ?? $"{_configuration.Issuer!.ToString().Split("://")[1].TrimEnd('/')}/v1/log",
                    ChallengeLife = TimeSpan.FromSeconds(options.Broker.ChallengeSeconds),
                    DestroyWait = TimeSpan.FromHours(options.Broker.DestroyHours),
                    Witnesses = [.. options.Broker.Witnesses.Select(Read)],
                    Hosted = options.Broker.Hosted is { } hosted ? new HostedTerms { AgentSocket = hosted.Agent, Leaf = () => _tls?.LeafDigest() ?? "" } : null,
                    Nras = _configuration.Nras,
                    Issuers = _configuration.Issuers,
                    Kbs = options.Broker.Kbs is { } kbs ? new KbsTerms { Tenant = kbs.Tenant, SessionLife = TimeSpan.FromSeconds(kbs.SessionSeconds), MostSessions = kbs.Sessions } : null,
                },
                _collateral.Verifier);
        }

        if (_configuration.HasWitness)
        {
            services.AddWitness(new WitnessTerms { Name = options.Witness.Name!, Logs = [.. options.Witness.Logs.Select(ReadLog)] });
        }

        if (_configuration.HasCollateral)
        {
            services.AddSingleton(_collateral.Cache).AddSingleton(_collateral.Verification).AddSingleton(_collateral.Upstream);
            services.AddCollateral(new ProxyOptions());
        }

        services.AddHealthChecks().AddCheck<ReadyCheck>(ReadyCheck.Name);
        services.AddOpenApi("v1", ApiDescription.Configure);
        // Nothing here is protected by them, and a key on disk is a secret more.
        services.AddDataProtection().UseEphemeralDataProtectionProvider();
        services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService("assay-server"))
            .WithMetrics(metrics =>
            {
                metrics.AddMeter(VerifierMeters.MeterName, AttestationMeters.MeterName, BrokerMeters.MeterName, CacheMeters.MeterName, CollateralServices.MeterName, ServiceDatabase.PostgresMeterName).AddAspNetCoreInstrumentation().AddRuntimeInstrumentation().AddPrometheusExporter();
                if (options.Otlp is { } otlp)
                {
                    metrics.AddOtlpExporter(exporter => exporter.Endpoint = new Uri(otlp));
                }
            })
            .WithTracing(traces =>
            {
                if (options.Otlp is { } otlp)
                {
                    traces.AddAspNetCoreInstrumentation().AddOtlpExporter(exporter => exporter.Endpoint = new Uri(otlp));
                }
            });
    }

    // The configuration has read them before.
    private static LogWitness Read(WitnessOptions witness) =>
        ServiceAddress.TryParse(witness.Url, out var address, out _) && WitnessKey.TryParse(witness.Key, out var key, out _) ? new LogWitness(address, key) : throw new InvalidOperationException("not read");

    private static NoteKey ReadLog(string text) => NoteKey.TryParse(text, out var key, out _) ? key : throw new InvalidOperationException("not read");

    private AttestationTerms TermsOf(AttestationOptions options) => new()
    {
        Issuer = _configuration.Issuer!,
        Trust = _configuration.Trust,
        Collateral = _collateral.Source(asksForStatus: false),
        NrasCollateral = _collateral.Source(asksForStatus: true),
        ChallengeLife = TimeSpan.FromSeconds(options.ChallengeSeconds),
        KeepEvidence = TimeSpan.FromHours(options.KeepEvidenceHours),
        KeepAppraisals = TimeSpan.FromDays(options.KeepAppraisalsDays),
        Reappraisal = TimeSpan.FromSeconds(options.ReappraisalSeconds),
        NrasAnonymousTenant = options.NrasAnonymousTenant,
    };

    private void Map(WebApplication application)
    {
        application.Use(next => context => ManagementOnly.GuardAsync(context, next));
        application.UseServiceKernel();
        if (_configuration.HasCollateral)
        {
            application.MapCollateral().AllowAnonymous();
        }

        if (_configuration.HasAttestation)
        {
            application.MapAttestation();
        }

        if (_configuration.HasBroker)
        {
            application.MapBroker(application.Services.GetRequiredService<BrokerTerms>());
        }

        if (_configuration.HasWitness)
        {
            application.MapWitnessRole();
        }

        application.MapAdministration();
        application.MapHealthChecks("/healthz", new HealthCheckOptions { Predicate = _ => false }).AllowAnonymous().WithMetadata(new AlwaysAnswered());
        application.MapHealthChecks("/readyz", new HealthCheckOptions { Predicate = check => check.Name == ReadyCheck.Name, ResponseWriter = ReadyCheck.WriteAsync }).AllowAnonymous().WithMetadata(new AlwaysAnswered());
        application.MapOpenApi("/openapi/{documentName}.json").AllowAnonymous().WithMetadata(new AlwaysAnswered());
        application.MapPrometheusScrapingEndpoint("/metrics").AllowAnonymous().WithMetadata(new AlwaysAnswered(), new ManagementOnly());
    }

    // Keys and policies before the first request: a server that answers can sign.
    private async Task PrepareAsync(CancellationToken cancellation)
    {
        // It counts from the first verification on.
        _ = Services.GetRequiredService<VerifierMeters>();
        await Services.GetRequiredService<SigningKeys>().PrepareAsync(cancellation).ConfigureAwait(false);
        if (_configuration.HasBroker)
        {
            await Services.PrepareBrokerAsync(cancellation).ConfigureAwait(false);
        }

        if (_configuration.HasWitness)
        {
            await Services.PrepareWitnessAsync(cancellation).ConfigureAwait(false);
        }

        if (!_configuration.HasAttestation)
        {
            return;
        }

        _files = [.. _configuration.Options.Attestation.Policies.Select(PolicyFile.Read)];
        await Services.GetRequiredService<PolicyStore>().ReloadAsync(cancellation).ConfigureAwait(false);
    }

    private async Task ApplyAsync(CancellationToken cancellation)
    {
        if (!_configuration.HasAttestation)
        {
            return;
        }

        var (policies, trial, tenants) = (Services.GetRequiredService<PolicyStore>(), Services.GetRequiredService<PolicyTrial>(), Services.GetRequiredService<TenantStore>());
        if (_configuration.Options.Attestation.NrasAnonymousTenant is { } anonymous)
        {
            await tenants.CreateAsync(anonymous, null, PolicyFile.Actor, cancellation).ConfigureAwait(false);
        }

        foreach (var file in _files)
        {
            await file.ApplyAsync(policies, trial, tenants, cancellation).ConfigureAwait(false);
        }

        await policies.ReloadAsync(cancellation).ConfigureAwait(false);
    }
}

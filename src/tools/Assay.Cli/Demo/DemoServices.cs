using System.Net;
using Assay.Simulator;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Cli.Demo;

/// <summary>The manufacturers' services of a simulated world, on loopback: RIMs, OCSP and revocation lists, and Intel's collateral once it is known. The demonstration stops them.</summary>
internal sealed class DemoServices : IAsyncDisposable
{
    private readonly WebApplication _application;
    private int _requests;

    private DemoServices(WebApplication application) => _application = application;

    /// <summary>For instance http://127.0.0.1:40123.</summary>
    public string Address => _application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();

    /// <summary>Intel's service; null: its paths answer nothing.</summary>
    public Func<SimulatedPcs?>? Processors { get; set; }

    /// <summary>How many requests came so far.</summary>
    public int Requests => Volatile.Read(ref _requests);

    public static async Task<DemoServices> StartAsync(SimulatedWorld world, CancellationToken cancellation)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var services = new DemoServices(builder.Build());
        services._application.Run(context =>
        {
            Interlocked.Increment(ref services._requests);
            return services.Processors?.Invoke() is { } processors && context.Request.Path.Value is { } path && (path.StartsWith("/sgx/", StringComparison.Ordinal) || path.StartsWith("/tdx/", StringComparison.Ordinal))
                ? AnswerAsync(processors.Get(path, name => context.Request.Query[name]), context)
                : AnswerAsync(world, context);
        });
        await services._application.StartAsync(cancellation).ConfigureAwait(false);
        return services;
    }

    public async ValueTask DisposeAsync()
    {
        await _application.StopAsync().ConfigureAwait(false);
        await _application.DisposeAsync().ConfigureAwait(false);
    }

    private static async Task AnswerAsync(SimulatedAnswer answer, HttpContext context)
    {
        context.Response.StatusCode = answer.Status;
        context.Response.ContentType = answer.ContentType;
        foreach (var (name, value) in answer.Headers)
        {
            context.Response.Headers[name] = value;
        }

        await context.Response.BodyWriter.WriteAsync(answer.Body, context.RequestAborted).ConfigureAwait(false);
    }

    private static async Task AnswerAsync(SimulatedWorld world, HttpContext context)
    {
        var body = await BodyAsync(world, context.Request).ConfigureAwait(false);
        context.Response.StatusCode = body is null ? StatusCodes.Status404NotFound : StatusCodes.Status200OK;
        if (body is not null)
        {
            await context.Response.BodyWriter.WriteAsync(body, context.RequestAborted).ConfigureAwait(false);
        }
    }

    private static async Task<byte[]?> BodyAsync(SimulatedWorld world, HttpRequest request)
    {
        var path = request.Path.Value ?? "";
        if (HttpMethods.IsPost(request.Method))
        {
            using var asked = new MemoryStream();
            await request.Body.CopyToAsync(asked, request.HttpContext.RequestAborted).ConfigureAwait(false);
            request.HttpContext.Response.ContentType = "application/ocsp-response";
            return world.AnswerOcsp(asked.ToArray());
        }

        var name = path[(path.LastIndexOf('/') + 1)..];
        return path == "/v1/rim/ids" ? SimulatedRimService.Ids(world.Rims)
            : !path.StartsWith("/v1/rim/", StringComparison.Ordinal) ? world.Crl(name)
            : world.Rims.FirstOrDefault(rim => rim.Id == name) is { } rim ? SimulatedRimService.Rim(rim)
            : null;
    }
}

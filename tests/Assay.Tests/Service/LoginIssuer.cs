using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Trust.Jose;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Service;

/// <summary>An OIDC issuer on loopback, whose tokens log persons in.</summary>
internal sealed class LoginIssuer : IAsyncDisposable
{
    private readonly WebApplication _issuer;
    private readonly SigningKey _key;
    private readonly bool _ownsKey;

    private LoginIssuer(WebApplication issuer, SigningKey key, bool ownsKey) => (_issuer, _key, _ownsKey) = (issuer, key, ownsKey);

    public string Address => _issuer.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();

    public static async Task<LoginIssuer> StartAsync()
    {
        using var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        Assert.True(SigningKey.TryParse(Encoding.ASCII.GetBytes(ecdsa.ExportPkcs8PrivateKeyPem()), out var key, out _));
        return await StartAsync(key, ownsKey: true);
    }

    public static async Task<LoginIssuer> StartAsync(SigningKey key, bool ownsKey = false)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var issuer = builder.Build();
        issuer.Run(context =>
        {
            var address = $"http://{context.Request.Host}";
            context.Response.ContentType = "application/json";
            return context.Response.Body.WriteAsync(context.Request.Path == "/jwks" ? JsonWebKeySet.Of(key.PublicKey).ToJson() : Encoding.UTF8.GetBytes($$"""{"issuer":"{{address}}","jwks_uri":"{{address}}/jwks"}""")).AsTask();
        });
        await issuer.StartAsync(TestContext.Current.CancellationToken);
        return new LoginIssuer(issuer, key, ownsKey);
    }

    /// <summary>The member <c>authentication</c> of a server that takes its tokens: the claim org names the tenant, and roles are our own words.</summary>
    public JsonObject Configuration => new()
    {
        ["oidc"] = new JsonArray(new JsonObject
        {
            ["issuer"] = Address,
            ["audience"] = "assay",
            ["tenantClaim"] = "org",
            ["roles"] = new JsonObject { ["key-owner"] = "key-owner", ["tenant-admin"] = "tenant-admin", ["operator"] = "operator" },
        }),
    };

    /// <summary>A token of a person.</summary>
    public string Person(string name, string tenant = "demo", params string[] roles) => CompactJws.Write(_key, Encoding.UTF8.GetBytes(new JsonObject
    {
        ["iss"] = Address,
        ["aud"] = "assay",
        ["sub"] = name,
        ["org"] = tenant,
        ["roles"] = new JsonArray([.. (roles.Length == 0 ? ["key-owner"] : roles).Select(role => (JsonNode)role)]),
        ["exp"] = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() + 3600,
    }.ToJsonString()));

    public async ValueTask DisposeAsync()
    {
        await _issuer.DisposeAsync();
        if (_ownsKey)
        {
            _key.Dispose();
        }
    }
}

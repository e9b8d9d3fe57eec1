using System.Security.Claims;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Encodings.Web;
using Assay.Service.Http;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Certificate;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Assay.Service.Identity;

/// <summary>Authentication by API key, OIDC token or client certificate, and the refusal of everything that no endpoint allows.</summary>
internal static class ServiceLogins
{
    private const string Any = "assay";
    private const string ByKey = "api-key";
    private const string ByToken = "oidc-";

    public static void AddTo(IServiceCollection services, ServiceAuthentication options, X509Certificate2Collection clientRoots)
    {
        var authentication = services.AddAuthentication(Any)
            .AddPolicyScheme(Any, null, policy => policy.ForwardDefaultSelector = context => Select(context, options))
            .AddScheme<AuthenticationSchemeOptions, ApiKeyHandler>(ByKey, null);
        foreach (var (index, login) in options.Oidc.Index())
        {
            authentication.AddJwtBearer($"{ByToken}{index}", bearer => Configure(bearer, login));
        }

        if (options.Certificates.Count > 0)
        {
            authentication.AddCertificate(certificate => Configure(certificate, options, clientRoots));
        }

        // An endpoint that names no scope is one that somebody forgot: it is closed.
        services.AddAuthorizationBuilder().SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireAssertion(_ => false).Build());
        services.AddSingleton<IAuthorizationMiddlewareResultHandler, RefusedByProblem>();
        // Authentication brings it along, and nothing here uses it: it must not write keys into a home folder.
        services.AddDataProtection().UseEphemeralDataProtectionProvider();
    }

    // By form alone; each scheme then decides by itself. A token is read without belief, to see whose it says it is.
    private static string Select(HttpContext context, ServiceAuthentication options)
    {
        var credential = CredentialOf(context.Request, out var isOfHeader);
        if (isOfHeader)
        {
            return ByKey;
        }

        if (credential is null)
        {
            return options.Certificates.Count > 0 && context.Connection.ClientCertificate is not null ? CertificateAuthenticationDefaults.AuthenticationScheme : ByKey;
        }

        if (credential.StartsWith(ApiKeyStore.Prefix, StringComparison.Ordinal) || credential.Length > MostTokenCharacters)
        {
            return ByKey;
        }

        var tokens = new JsonWebTokenHandler();
        var issuer = tokens.CanReadToken(credential) ? TryIssuer(tokens, credential) : null;
        var index = options.Oidc.Index().FirstOrDefault(login => login.Item.Issuer == issuer, (-1, null!)).Item1;
        return index < 0 ? ByKey : $"{ByToken}{index}";
    }

    private const int MostTokenCharacters = 16 * 1024;

    private static string? TryIssuer(JsonWebTokenHandler tokens, string credential)
    {
        try
        {
            return tokens.ReadJsonWebToken(credential).Issuer;
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    // Where an endpoint says so, an API key may come in a header of another protocol. Two credentials in one request are refused: nothing says which of them counts.
    private static string? CredentialOf(HttpRequest request, out bool isOfHeader)
    {
        var bearer = Bearer(request);
        var given = request.HttpContext.GetEndpoint()?.Metadata.GetMetadata<CredentialHeader>() is { } header ? request.Headers[header.Name] : default;
        isOfHeader = given.Count > 0;
        return !isOfHeader ? bearer : bearer is null && given is [{ } one] ? one : "";
    }

    private static string? Bearer(HttpRequest request)
    {
        const string scheme = "Bearer ";
        var header = request.Headers.Authorization;
        return header.Count == 1 && header[0] is { } text && text.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) ? text[scheme.Length..].Trim() : null;
    }

    private static void Configure(JwtBearerOptions bearer, OidcLogin login)
    {
        bearer.Authority = login.Issuer;
        bearer.MapInboundClaims = false;
        bearer.RequireHttpsMetadata = !(Uri.TryCreate(login.Issuer, UriKind.Absolute, out var uri) && uri.IsLoopback);
        bearer.TokenValidationParameters = new TokenValidationParameters
        {
            ValidIssuer = login.Issuer,
            ValidAudience = login.Audience,
            ValidAlgorithms = ["ES384", "ES256", "RS256", "PS256"],
            ClockSkew = TimeSpan.FromSeconds(60),
            RequireExpirationTime = true,
            RequireSignedTokens = true,
        };
        bearer.Events = new JwtBearerEvents
        {
            OnTokenValidated = async context => await AdmitAsync(context, login).ConfigureAwait(false),
        };
    }

    private static async Task AdmitAsync(Microsoft.AspNetCore.Authentication.JwtBearer.TokenValidatedContext context, OidcLogin login)
    {
        var principal = context.Principal!;
        var tenant = login.Tenant ?? principal.FindFirst(login.TenantClaim!)?.Value;
        var subject = principal.FindFirst("sub")?.Value;
        if (tenant is null || !TenantStore.IsId(tenant) || string.IsNullOrEmpty(subject) || !await IsOpenAsync(context.HttpContext, tenant).ConfigureAwait(false))
        {
            context.Fail("the token names no tenant of this service");
            return;
        }

        var words = principal.FindAll(login.RolesClaim).SelectMany(claim => claim.Value.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        context.Principal = Caller.Principal(context.Scheme.Name, tenant, $"{login.Issuer}#{subject}", ScopesOf(words.Select(word => login.Roles.GetValueOrDefault(word))));
    }

    private static void Configure(CertificateAuthenticationOptions certificate, ServiceAuthentication options, X509Certificate2Collection clientRoots)
    {
        // Under the client CA that the operator named, as the listener asked already: the system's roots certify the whole world.
        certificate.AllowedCertificateTypes = CertificateTypes.All;
        certificate.ValidateCertificateUse = true;
        certificate.ChainTrustValidationMode = X509ChainTrustMode.CustomRootTrust;
        certificate.CustomTrustStore = clientRoots;
        certificate.RevocationMode = X509RevocationMode.NoCheck;
        certificate.Events = new CertificateAuthenticationEvents
        {
            OnCertificateValidated = async context =>
            {
                var digest = Convert.ToHexStringLower(SHA256.HashData(context.ClientCertificate.RawData));
                var login = options.Certificates.FirstOrDefault(login => login.Sha256 is { } pinned ? string.Equals(pinned, digest, StringComparison.OrdinalIgnoreCase) : login.Subject == context.ClientCertificate.Subject);
                if (login is null || !await IsOpenAsync(context.HttpContext, login.Tenant).ConfigureAwait(false))
                {
                    context.Fail("the certificate is no login here");
                    return;
                }

                context.Principal = Caller.Principal(context.Scheme.Name, login.Tenant, $"certificate:{digest[..16]}", ScopesOf(login.Roles), login.Person ?? (login.Subject is { } name ? $"certificate:{name}" : null));
                context.Success();
            },
        };
    }

    private static async Task<bool> IsOpenAsync(HttpContext context, string tenant) =>
        await context.RequestServices.GetRequiredService<TenantStore>().FindAsync(tenant, context.RequestAborted).ConfigureAwait(false) is { IsDisabled: false };

    private static IEnumerable<string> ScopesOf(IEnumerable<string?> roles) =>
        roles.SelectMany(role => role is not null && Scopes.Roles.TryGetValue(role, out var scopes) ? scopes : []).Distinct(StringComparer.Ordinal);

    private sealed class ApiKeyHandler(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, ApiKeyStore keys)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
        {
            if (CredentialOf(Request, out _) is not { } text)
            {
                return AuthenticateResult.NoResult();
            }

            return await keys.FindAsync(text, Context.RequestAborted).ConfigureAwait(false) is { } key
                ? AuthenticateResult.Success(new AuthenticationTicket(Caller.Principal(ByKey, key.Tenant, $"{Caller.KeyPrefix}{key.Id}", key.Scopes), ByKey))
                : AuthenticateResult.Fail("the key is unknown, expired or revoked, or its tenant is disabled");
        }
    }

    private sealed class RefusedByProblem : IAuthorizationMiddlewareResultHandler
    {
        public async Task HandleAsync(RequestDelegate next, HttpContext context, AuthorizationPolicy policy, PolicyAuthorizationResult authorizeResult)
        {
            if (authorizeResult.Succeeded)
            {
                await next(context).ConfigureAwait(false);
                return;
            }

            // No endpoint has the address, or routing answers itself that the method or the media type is another.
            if (context.GetEndpoint() is not { Metadata.Count: > 0 } endpoint)
            {
                await Problems.WriteAsync(context, context.GetEndpoint()?.DisplayName?[..3] switch { "405" => Problems.Method, "415" => Problems.MediaType, _ => Problems.NotFound }).ConfigureAwait(false);
                return;
            }

            if (context.User.Identity is not { IsAuthenticated: true })
            {
                context.Response.Headers.WWWAuthenticate = "Bearer";
                await Problems.WriteAsync(context, Problems.Unauthenticated).ConfigureAwait(false);
                return;
            }

            var scope = endpoint.Metadata.GetMetadata<RequiredScope>()?.Scope;
            await Problems.WriteAsync(context, Problems.Forbidden, scope is null ? null : $"the scope \"{scope}\" is needed").ConfigureAwait(false);
        }
    }
}

using Assay.Service.Identity;

namespace Assay.Broker.Approvals;

/// <summary>Whether persons can log in at all: what two persons must do waits for good where the configuration names no login of persons.</summary>
public sealed class PersonLogins(ServiceAuthentication authentication)
{
    /// <summary>Whether the configuration lets persons of this tenant log in. Whether they exist, and may approve, it does not know.</summary>
    public bool Of(string tenant) =>
        authentication.Oidc.Any(login => login.Tenant is null || login.Tenant == tenant) || authentication.Certificates.Any(login => login.Tenant == tenant);
}

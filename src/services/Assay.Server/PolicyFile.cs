using System.Globalization;
using System.Text;
using Assay.Attestation.Policies;
using Assay.Service;
using Assay.Service.Identity;

namespace Assay.Server;

/// <summary>A policy document of the configuration: read and compiled at each start, and active afterwards if its tests pass.</summary>
/// <param name="File">Where it is, and whose.</param>
/// <param name="Policy">Ready to judge.</param>
/// <param name="Json">As it is in the file.</param>
internal sealed record PolicyFile(PolicyFileOptions File, CompiledPolicy Policy, byte[] Json)
{
    /// <summary>Who made what comes of the configuration.</summary>
    public const string Actor = "configuration";

    /// <summary>Reads and compiles it.</summary>
    /// <exception cref="ServiceException">It cannot be read, or does not compile.</exception>
    public static PolicyFile Read(PolicyFileOptions file)
    {
        byte[] json;
        try
        {
            json = System.IO.File.ReadAllBytes(file.File);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ServiceException("service.policy.file", $"attestation.policies: {exception.Message}", exception);
        }

        return CompiledPolicy.TryCompile(file.Tenant, 0, json, out var policy, out var fault) ? new PolicyFile(file, policy, json)
            : throw new ServiceException("service.policy.file", $"attestation.policies: {file.File}: {fault}");
    }

    /// <summary>Takes it, tries it and makes it the one that decides, unless it is.</summary>
    /// <exception cref="ServiceException">Its tests do not pass, or it is another tenant's.</exception>
    public async Task ApplyAsync(PolicyStore policies, PolicyTrial trial, TenantStore tenants, CancellationToken cancellation)
    {
        var id = Policy.Document.Id;
        var state = await policies.StateAsync(id, File.Tenant, cancellation).ConfigureAwait(false);
        if (state?.Active is { } active && await policies.VersionAsync(id, active, cancellation).ConfigureAwait(false) is { } row && row.Sha384 == Policy.Digest.ToString())
        {
            return;
        }

        var report = await trial.TestAsync(Policy, cancellation).ConfigureAwait(false);
        if (!report.Passed)
        {
            var failed = report.Tests.FirstOrDefault(test => !test.Passed);
            throw new ServiceException("service.policy.tests", $"attestation.policies: {File.File}: {(failed is null ? "it has no test: at least one is expected" : string.Create(CultureInfo.InvariantCulture, $"the test \"{failed.Name}\" expects {failed.Expected} and got {failed.Found}: {failed.Detail}"))}");
        }

        await tenants.CreateAsync(File.Tenant, null, Actor, cancellation).ConfigureAwait(false);
        foreach (var audience in Policy.Document.Audiences)
        {
            if (!await policies.AssignAsync(audience, File.Tenant, Actor, cancellation).ConfigureAwait(false))
            {
                throw new ServiceException("service.policy.audience", $"attestation.policies: {File.File}: the audience {audience} is another tenant's");
            }
        }

        var version = await policies.AddAsync(Policy, Encoding.UTF8.GetString(Json), Actor, cancellation).ConfigureAwait(false)
            ?? throw new ServiceException("service.policy.file", $"attestation.policies: {File.File}: the policy {id} is another tenant's");
        state = (await policies.StateAsync(id, File.Tenant, cancellation).ConfigureAwait(false))!;
        if (!CompiledPolicy.TryCompile(File.Tenant, version, Json, out var numbered, out _) || !await policies.ActivateAsync(state, numbered, "policy.activate", Actor, cancellation).ConfigureAwait(false))
        {
            throw new ServiceException("service.policy.file", $"attestation.policies: {File.File}: another process changed the policy at the same time; start again");
        }
    }
}

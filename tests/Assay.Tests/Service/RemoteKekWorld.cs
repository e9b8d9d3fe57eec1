using System.Text.Json.Nodes;
using Assay.Service;
using Assay.Service.Keys;
using Assay.Service.Keys.Aws;
using Assay.Service.Keys.Vault;
using Microsoft.AspNetCore.Http;

namespace Assay.Tests.Service;

/// <summary>The doubles of AWS KMS and Vault, and how back-ends are opened on them.</summary>
public abstract class RemoteKekWorld : IAsyncLifetime
{
    /// <summary>The id of an outage.</summary>
    protected const string Outage = KeyEncryptionKey.Unavailable;

    private AwsKmsStandIn? _kms;
    private VaultStandIn? _vault;

    private protected AwsKmsStandIn Kms => _kms!;

    private protected VaultStandIn Vault => _vault!;

    protected string Folder { get; } = Directory.CreateTempSubdirectory("assay-kek-").FullName;

    /// <summary>Whether a test departs from what is documented itself.</summary>
    protected bool Departs { get; set; }

    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => (_kms, _vault) = (await AwsKmsStandIn.StartAsync(), await VaultStandIn.StartAsync());

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        Assert.True(Departs || (Kms.Departures.IsEmpty && Vault.Departures.IsEmpty), string.Join('\n', Kms.Departures.Concat(Vault.Departures)));
        await Kms.DisposeAsync();
        await Vault.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    protected static byte[] Bytes(byte value) => [.. Enumerable.Repeat(value, 32)];

    /// <summary>Opens it. A slow machine is waited for, but where a test states that no answer comes.</summary>
    protected static Task<IKeyWrapper> OpenAsync(KekTerms terms, TimeSpan? patience = null, TimeProvider? clock = null) =>
        terms.AwsKms is { } kms ? AwsKmsKeyWrapper.OpenAsync(kms, patience ?? Patience.Long, Cancellation) : VaultKeyWrapper.OpenAsync(terms.Vault!, patience ?? Patience.Long, clock ?? TimeProvider.System, Cancellation);

    protected static string FaultOf(string kind) => kind == "awsKms" ? "service.kek.awskms" : "service.kek.vault";

    protected static void Plaintext(string kind, JsonObject answer, string? text)
    {
        if (kind == "awsKms")
        {
            answer["Plaintext"] = text;
        }
        else
        {
            answer["data"]!["plaintext"] = text;
        }
    }

    protected static async Task<bool> RedirectAsync(HttpContext context, int status, string address)
    {
        (context.Response.StatusCode, context.Response.Headers.Location) = (status, address + context.Request.Path);
        await context.Response.CompleteAsync();
        return true;
    }

    protected static async Task<bool> StatusAsync(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        await context.Response.CompleteAsync();
        return true;
    }

    // Null, or an outage: a key never.
    protected static async Task<bool> RefusedAsync(IKeyWrapper kek, byte[] wrapped, string context)
    {
        try
        {
            return await kek.UnwrapAsync(wrapped, context, Cancellation) is null;
        }
        catch (ServiceException exception)
        {
            return exception.Id == Outage;
        }
    }

    private protected KeyServiceStandIn Double(string kind) => kind == "awsKms" ? Kms : Vault;

    protected KekTerms Terms(string kind) => kind == "awsKms" ? new KekTerms { AwsKms = Kms.Terms(Kms.CreateKey(), Folder) } : new KekTerms { Vault = Vault.Terms(Vault.CreateKey(), Folder) };
}

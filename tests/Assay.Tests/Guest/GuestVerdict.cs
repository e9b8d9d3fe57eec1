using Assay.Appraisal.Boot;
using Assay.Cli.Demo;
using Assay.Collateral;
using Assay.Collateral.Http;
using Assay.Policy;

namespace Assay.Tests.Guest;

/// <summary>The relying party of the demonstration, which asks a guest's world over HTTP.</summary>
internal static class GuestVerdict
{
    public static async Task<Verdict> OfAsync(GuestWorld world, ReadOnlyMemory<byte> bundle, string challenge, GateOutcome outcome = GateOutcome.Attested, string? policy = null)
    {
        Assert.True(ServiceAddress.TryParse(world.Url, out var url, out var fault), $"{fault}");
        using var sources = new CollateralSources { Rims = new RimServiceClient(url, new CollateralHttpOptions()), Ocsp = new OcspClient(url, new CollateralHttpOptions()) };
        var party = new RelyingParty
        {
            Sources = sources,
            Policy = policy ?? world.Report().GetProperty("gpuPolicy").GetString()!,
            Outcome = outcome,
            Gpus = outcome is GateOutcome.NoGpu ? 0 : GuestWorld.Gpus,
            Switches = outcome is GateOutcome.NoGpu ? 0 : GuestWorld.Switches,
        };
        return await party.JudgeAsync(world.Hardware, bundle, challenge, TestContext.Current.CancellationToken);
    }
}

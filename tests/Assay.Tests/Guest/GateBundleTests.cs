using System.Text.Json;
using Assay.Tests.Cli;

namespace Assay.Tests.Guest;

/// <summary>A gate without any network: collateral comes in a bundle that the site signed, and what the host may do to that file ends closed.</summary>
public sealed class GateBundleTests
{
    private const string Bundle = "/var/lib/assay/collateral.bundle";
    private static readonly AssayCommand s_assay = new();

    [Fact]
    public async Task The_gate_opens_with_a_bundle_alone_and_its_event_names_that_bundle()
    {
        await using var world = await WorldAsync();

        var answer = world.Run("gate");

        Assert.True(answer.ExitCode == 0, answer.Error);
        Assert.True(world.Hardware.IsReady);
        using var payload = JsonDocument.Parse(Convert.FromHexString(JsonDocument.Parse(File.ReadLines(world.At("/run/assay/events.jsonl")).ElementAt(1)).RootElement.GetProperty("event_payload").GetString()!));
        var named = payload.RootElement.GetProperty("bundle");
        Assert.Equal(7, named.GetProperty("sequence").GetInt64());
        Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA384.HashData(File.ReadAllBytes(world.At(Bundle)))), named.GetProperty("digest").GetString());
    }

    [Theory]
    [InlineData("flipped", "gate.bundle.refused")]
    [InlineData("truncated", "gate.bundle.refused")]
    [InlineData("missing", "gate.bundle.missing")]
    [InlineData("older", "gate.bundle.refused")]
    [InlineData("foreign", "gate.bundle.refused")]
    [InlineData("less", "gate.collateral.missing")]
    public async Task What_the_host_does_to_the_bundle_ends_closed(string attack, string fault)
    {
        await using var world = await WorldAsync(attack is "older" ? 6 : 7, attack is "foreign", attack is "less");
        var file = world.At(Bundle);
        var bytes = File.ReadAllBytes(file);
        switch (attack)
        {
            case "flipped": bytes[bytes.Length / 2] ^= 1; File.WriteAllBytes(file, bytes); break;
            case "truncated": File.WriteAllBytes(file, bytes[..^1]); break;
            case "missing": File.Delete(file); break;
            default: break;
        }

        Assert.Equal(1, world.Run("gate").ExitCode);
        Assert.Equal(fault, world.FaultId());
        Assert.False(world.Hardware.IsReady);
        Assert.DoesNotContain("gpu-attestation", world.Events());
    }

    // The site makes the bundle where the services are; the guest gets no address of them.
    private static async Task<GuestWorld> WorldAsync(int sequence = 7, bool isForeign = false, bool isLess = false)
    {
        var world = await GuestWorld.StartAsync();
        string In(string name) => Path.Combine(world.Folder, name);
        foreach (var name in new[] { "site.pem", "other.pem" })
        {
            using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP384);
            File.WriteAllText(In(name), key.ExportPkcs8PrivateKeyPem());
            File.SetUnixFileMode(In(name), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        var nonce = new byte[32];
        var devices = world.Devices.Evidence(nonce).Where(entry => !isLess || entry.Arch != "LS10");
        foreach (var kind in devices.GroupBy(entry => entry.Arch == "LS10"))
        {
            File.WriteAllText(In($"{kind.Key}.json"), JsonSerializer.Serialize(kind.Select(entry => new Dictionary<string, string>
            {
                ["arch"] = entry.Arch,
                ["nonce"] = Convert.ToHexStringLower(nonce),
                ["evidence"] = Convert.ToBase64String(entry.Report.Span),
                ["certificate"] = Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes(entry.ChainPem)),
            })));
        }

        File.WriteAllBytes(In("anchors.json"), world.Devices.Anchors);
        Directory.CreateDirectory(Path.GetDirectoryName(world.At(Bundle))!);
        string[] evidence = [.. devices.Select(entry => In($"{entry.Arch == "LS10"}.json")).Distinct()];
        s_assay.Says(0, ["bundle", "create", "--for", .. evidence, "--rim-url", world.Url, "--ocsp-url", world.Url, "--anchors", In("anchors.json"), "--sequence", $"{sequence}", "--key", In(isForeign ? "other.pem" : "site.pem"), "--out", world.At(Bundle)]);
        world.Write("/usr/lib/assay/bundle_keys.json", s_assay.Says(0, "token", "jwks", "--signing-key", In("site.pem")));
        world.Configure(("collateralUrl", null), ("bundle", $$"""{"path":"{{Bundle}}","keys":"/usr/lib/assay/bundle_keys.json","minimumSequence":7}"""));
        return world;
    }
}

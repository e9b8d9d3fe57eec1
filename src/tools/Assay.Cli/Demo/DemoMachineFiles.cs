using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Evidence.Files;

namespace Assay.Cli.Demo;

/// <summary>The demonstration's confidential VM as files: what a guest would send in one bundle, and what its relying party has.</summary>
internal static class DemoMachineFiles
{
    public const string Bundle = "machine.json";
    public const string Anchors = "machine_anchors.json";
    public const string Collateral = "tdx_collateral.json";
    public const string References = "reference_values.json";

    private static readonly JsonSerializerOptions s_options = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes them into a folder that exists.</summary>
    public static void Write(string folder, DemoMachine cvm, byte[] anchors)
    {
        var (quote, collateral, log) = cvm.Shown();
        var bundle = new JsonObject
        {
            ["version"] = 1,
            ["nonce"] = DemoMachine.Challenge,
            ["gpus"] = Devices(cvm, DeviceKind.Gpu),
            ["switches"] = Devices(cvm, DeviceKind.Switch),
            ["cpu"] = new JsonObject { ["tee"] = "tdx", ["quote"] = Convert.ToBase64String(quote), ["eventLog"] = Convert.ToBase64String(log) },
            ["key"] = JsonNode.Parse(cvm.Key.Jwk),
        };
        File.WriteAllText(Path.Combine(folder, Bundle), bundle.ToJsonString(s_options) + "\n");
        File.WriteAllBytes(Path.Combine(folder, Collateral), collateral);
        File.WriteAllBytes(Path.Combine(folder, Anchors), anchors);
        File.WriteAllBytes(Path.Combine(folder, References), cvm.References.ToCanonicalJson());
    }

    private static JsonArray Devices(DemoMachine cvm, DeviceKind kind) =>
        // By its constructor: JsonArray.Add is generic, and reflects over types that a compiled binary does not hold.
        new([.. cvm.Evidence.Where(device => device.Kind == kind).Select(device => Device(device.Bytes))]);

    private static JsonObject Device(DeviceEvidence device) => new JsonObject
    {
        ["evidence"] = Convert.ToBase64String(device.Report.Span),
        ["certificate"] = Convert.ToBase64String(device.Chain.Span),
    };
}

using System.Text.Json.Nodes;
using Assay.Evidence.Files;
using Assay.Simulator;
using Assay.Tests.Collateral;

namespace Assay.Tests.Regressions;

/// <summary>7: where a file stated a nonce and its elements another, the file's went unread: it could claim any challenge.</summary>
public sealed class Bug0007_NonceOfTheFileTests(NvidiaServices nvidia) : IClassFixture<NvidiaServices>
{
    [Fact]
    public void A_bundle_whose_nonce_its_elements_contradict_is_refused()
    {
        var elements = JsonNode.Parse(SimulatedEvidence.ToJson(nvidia.Set.Evidence))!;
        var bundle = new JsonObject { ["version"] = 1, ["nonce"] = (string)elements[0]!["nonce"]!, ["gpus"] = elements };
        Assert.True(EvidenceFile.TryParse(Bytes(bundle), "b", out _, out var fault), fault?.ToString());

        bundle["nonce"] = new string('0', 64);

        Assert.False(EvidenceFile.TryParse(Bytes(bundle), "b", out _, out fault));
        Assert.Equal("gpus[0].nonce", fault!.Field);
    }

    [Fact]
    public void A_collection_whose_nonce_its_items_contradict_is_refused()
    {
        static JsonArray Record(string type, ReadOnlySpan<byte> bytes) => new(type, System.Buffers.Text.Base64Url.EncodeToString(bytes));
        var device = nvidia.Evidence[0];
        var item = new JsonObject
        {
            ["__cmwc_t"] = "tag:nvidia.com,2026:evidence-item/v1",
            ["nonce"] = Record("application/octet-stream", nvidia.Expectations.Nonce!.Bytes),
            ["evidence"] = Record("application/vnd.nvidia.spdm-measurement-transcript", device.Report.Span),
            ["certificate"] = Record("application/vnd.nvidia.pem-cert-chain", device.Chain.Span),
        };
        var root = new JsonObject
        {
            ["__cmwc_t"] = "tag:nvidia.com,2026:verifier-input/profiles/base/pre-1.0.0",
            ["nonce"] = Record("application/octet-stream", nvidia.Expectations.Nonce.Bytes),
            ["gpu"] = item,
        };
        Assert.True(EvidenceFile.TryParse(Bytes(root), "c", out _, out var fault), fault?.ToString());

        root["nonce"] = Record("application/octet-stream", new byte[32]);

        Assert.False(EvidenceFile.TryParse(Bytes(root), "c", out _, out fault));
        Assert.Equal("gpu.nonce", fault!.Field);
    }

    private static byte[] Bytes(JsonNode node) => System.Text.Encoding.UTF8.GetBytes(node.ToJsonString());
}

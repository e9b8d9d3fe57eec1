using Assay.Rego;
using Assay.Rego.Syntax;
using Assay.Rego.Values;

namespace Assay.Tests.Rego;

/// <summary>NVIDIA's example policies (v0) over claims of the shape that assay verify writes, as facts/nvidia.md §8.1 describes.</summary>
public class NvidiaPolicyTests
{
    private static readonly string[] s_policies =
    [
        "allow_gpu_driver_rim_cert_revoked.rego", "allow_gpu_driver_rim_cert_unknown.rego", "allow_trust_outpost_ocsp.rego",
        "ppcie_relying_party_policy.rego", "rp-policy-permissive.rego", "switch_relying_party_policy.rego",
    ];

    public static TheoryData<string, string, bool> Decisions => new()
    {
        // With --dangerously-skip-revocation the OCSP status is "undefined".
        { "switch_relying_party_policy.rego", Array(Switch("undefined")), true },
        { "switch_relying_party_policy.rego", Array(Gpu("undefined", "undefined")), false },
        { "rp-policy-permissive.rego", Array(Gpu("undefined", "undefined")), true },
        { "rp-policy-permissive.rego", Array(Switch("undefined")), false },
        { "allow_trust_outpost_ocsp.rego", Array(Gpu("undefined", "undefined")), false },
        { "allow_trust_outpost_ocsp.rego", Array(Switch("undefined")), false },
        { "allow_gpu_driver_rim_cert_revoked.rego", Array(Gpu("good", "revoked")), true },
        { "allow_gpu_driver_rim_cert_revoked.rego", Array(Gpu("good", "unknown")), false },
        { "allow_gpu_driver_rim_cert_revoked.rego", Array(Gpu("revoked", "good")), false },
        { "allow_gpu_driver_rim_cert_unknown.rego", Array(Gpu("good", "unknown")), true },
        { "allow_gpu_driver_rim_cert_unknown.rego", Array(Gpu("good", "revoked")), false },
        { "allow_gpu_driver_rim_cert_unknown.rego", Array(Gpu("good", "good"), Switch("good")), true },
        { "allow_gpu_driver_rim_cert_unknown.rego", Array(Gpu("good", "good"), Switch("revoked")), false },
        { "allow_gpu_driver_rim_cert_unknown.rego", Array(), false },
        // The pitfall that the sheet names: every over nothing is true. The verifier never asks about an empty list.
        { "rp-policy-permissive.rego", Array(), true },
    };

    [Fact]
    public void All_of_them_compile()
    {
        foreach (var name in s_policies)
        {
            Assert.NotNull(Prepared(name));
        }
    }

    [Theory]
    [MemberData(nameof(Decisions))]
    public void They_decide_as_NVIDIAs_engine_does(string policy, string claims, bool accepted)
    {
        Assert.True(RegoJson.TryRead(claims, out var input, out var problem), problem);
        var result = Prepared(policy).Evaluate(input, cancellation: TestContext.Current.CancellationToken);
        Assert.Null(result.Error);
        Assert.Equal(accepted, result.IsTrue);
    }

    private static PreparedQuery Prepared(string name)
    {
        Assert.True(RegoModule.TryParse(name, Recorded.Text($"nvidia/policies/rego/{name}"), out var module, out var error, RegoVersion.V0), error?.ToDisplay());
        Assert.True(CompiledPolicy.TryCompile([module], null, out var policy, out var errors), string.Join("\n", errors));
        Assert.True(policy.TryPrepare("data.policy.nv_match", out var query, out errors), string.Join("\n", errors));
        return query;
    }

    private static string Array(params string[] devices) => $"[{string.Join(",", devices)}]";

    private static string Gpu(string ocsp, string driver) => $$"""
        {"x-nvidia-device-type":"gpu","measres":"success","secboot":true,"dbgstat":"disabled",
         "x-nvidia-gpu-attestation-report-cert-chain":{{Chain(ocsp)}},"x-nvidia-gpu-driver-rim-cert-chain":{{Chain(driver)}},"x-nvidia-gpu-vbios-rim-cert-chain":{{Chain(ocsp)}}}
        """;

    private static string Switch(string ocsp) => $$"""
        {"x-nvidia-device-type":"nvswitch","measres":"success","secboot":true,"dbgstat":"disabled",
         "x-nvidia-switch-attestation-report-cert-chain":{{Chain(ocsp)}},"x-nvidia-switch-bios-rim-cert-chain":{{Chain(ocsp)}}}
        """;

    private static string Chain(string ocsp)
    {
        var asked = ocsp == "undefined" ? "false" : "true";
        return $$"""{"x-nvidia-cert-status":"valid","x-nvidia-cert-ocsp-status":"{{ocsp}}","x-nvidia-cert-ocsp-nonce-matches":{{asked}},"x-nvidia-cert-ocsp-response-valid":{{asked}}}""";
    }
}

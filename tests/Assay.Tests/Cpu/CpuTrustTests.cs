using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Authentication;
using Assay.Evidence.Tdx;
using Assay.Simulator;
using Assay.Tests.Properties;
using Assay.Trust;

namespace Assay.Tests.Cpu;

/// <summary>Each root certifies one kind of thing, and what was certified for one purpose is found for no other.</summary>
public class CpuTrustTests
{
    // One trust set with devices and processors, as a verifier of whole machines has.
    private static readonly byte[] s_anchors = CpuAnchors.ToJson("whole machine", SimulatedCpu.Intel, SimulatedCpu.Amd, Simulated.Authority);

    [Fact]
    public void The_chain_of_a_GPU_that_was_certified_before_is_no_PCK_chain()
    {
        var (trust, cache) = (Trust(s_anchors), new VerifierCache());
        var gpu = new Assay.Tests.Appraisal.Judged { Trust = trust }.Expectations();
        Assert.NotNull(AuthenticDevice.Authenticate(Simulated.Gpu, gpu.Question, cache).Device);

        var judged = SimulatedCpu.Tdx(4, false) with { Trust = trust, Cache = cache };
        judged = judged with { Quote = WithChain(judged.Quote, Simulated.Gpu.Chain.ToArray()) };
        var result = judged.Result();

        Assert.Null(result.Quote);
        Assert.Equal(["tdx.chain.trusted"], JudgedTdx.Failed(result.Findings));
    }

    [Fact]
    public void A_PCK_chain_that_was_certified_before_is_no_chain_of_a_GPU()
    {
        var (trust, cache) = (Trust(s_anchors), new VerifierCache());
        var judged = SimulatedCpu.Tdx(4, false) with { Trust = trust, Cache = cache };
        var quote = judged.Result().Quote;
        Assert.NotNull(quote);

        var gpu = new Assay.Tests.Appraisal.Judged { Trust = trust }.Expectations();
        var (device, findings, _) = AuthenticDevice.Authenticate(Simulated.Gpu with { Chain = quote.Quote.PckChain.ToArray() }, gpu.Question, cache);

        Assert.Null(device);
        Assert.Contains("device.chain.trusted", JudgedTdx.Failed(findings));
    }

    [Fact]
    public void A_root_for_two_purposes_is_refused()
    {
        foreach (var (from, to) in new[] { ("intel", "amd"), ("device", "intel"), ("rim", "amd") })
        {
            var file = JsonNode.Parse(s_anchors)!.AsObject();
            file[to]!.AsArray().Add(file[from]![0]!.DeepClone());

            Assert.False(TrustSet.TryParse(Encoding.UTF8.GetBytes(file.ToJsonString()), out _, out var fault), from);
            Assert.Contains("twice", fault.Problem, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Processors_alone_are_a_trust_set_and_half_of_the_devices_is_none()
    {
        Assert.True(TrustSet.TryParse(CpuAnchors.ToJson("amd", null, SimulatedCpu.Amd), out var amd, out _));
        Assert.Equal((0, 0, 0, 3), (amd.DeviceAnchors.Length, amd.RimAnchors.Length, amd.IntelAnchors.Length, amd.AmdAnchors.Length));

        var file = JsonNode.Parse(s_anchors)!.AsObject();
        file.Remove("rim");
        Assert.False(TrustSet.TryParse(Encoding.UTF8.GetBytes(file.ToJsonString()), out _, out var fault));
        Assert.Equal("rim", fault.Field);
    }

    [Fact]
    public void Simulated_roots_make_a_set_simulated_whatever_the_file_calls_it()
    {
        var file = JsonNode.Parse(s_anchors)!.AsObject();
        file["kind"] = "custom";

        Assert.Equal(TrustSetKind.Simulated, Trust(Encoding.UTF8.GetBytes(file.ToJsonString())).Kind);
    }

    private static TrustSet Trust(byte[] anchors) => TrustSet.TryParse(anchors, out var trust, out var fault) ? trust : throw new InvalidOperationException(fault.ToString());

    // The same quote with other certificates: lengths put right, so that nothing but trust can refuse it.
    private static byte[] WithChain(byte[] quote, byte[] chain)
    {
        Assert.True(TdxQuote.TryParse(quote, out var parsed, out _));
        var at = parsed.Bytes.Length - parsed.PckChain.Length;
        byte[] changed = [.. quote[..at], .. chain];
        var difference = chain.Length - parsed.PckChain.Length;
        var data = parsed.SignedBytes.Length;
        foreach (var length in new[] { data, data + 4 + 128 + 2, at - 4 })
        {
            BinaryPrimitives.WriteInt32LittleEndian(changed.AsSpan(length), BinaryPrimitives.ReadInt32LittleEndian(changed.AsSpan(length)) + difference);
        }

        return changed;
    }
}

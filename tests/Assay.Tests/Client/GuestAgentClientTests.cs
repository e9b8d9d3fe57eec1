using System.Net.Sockets;
using System.Security.Cryptography;
using Assay.Client.Guest;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;
using Assay.Tests.Guest;

namespace Assay.Tests.Client;

/// <summary>The typed client against the agent as a process, and against what is no agent.</summary>
public sealed class GuestAgentClientTests
{
    private const string Challenge = "Y2hhbGxlbmdlIG9mIGEgcmVseWluZyBwYXJ0eQ==";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_tells_status_verdict_and_evidence_that_a_relying_party_accepts()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);
        using var client = new GuestAgentClient(agent.Socket);

        var health = await client.GetHealthAsync(Cancellation);
        var attestation = await client.GetGpuAttestationAsync(Cancellation);
        var verdict = await GuestVerdict.OfAsync(world, await client.GetEvidenceAsync(Challenge, "release", Cancellation), Challenge);

        Assert.Equal((GateOutcome.Verified, true, null), (health.Gate, health.IsReady, health.Fault));
        Assert.NotNull(health.VerifiedAt);
        Assert.True((await client.EnsureGpuReadyAsync(Cancellation)).IsReady);
        Assert.Equal(File.ReadAllBytes(world.At("/run/assay/verdict.json")), attestation.Verdict);
        Assert.Equal("boot-event", verdict.Binding);
        Assert.Contains("assay_guest_ready 1", await client.GetMetricsAsync(Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refusal_is_an_exception_with_the_agents_own_id_and_cure()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);
        using var client = new GuestAgentClient(agent.Socket);

        Assert.Equal(("agent.key", 400), IdOf(await Assert.ThrowsAsync<AgentException>(() => client.GetEvidenceAsync(Challenge, "../tls", Cancellation))));
        Assert.Equal(("agent.no-service", 503), IdOf(await Assert.ThrowsAsync<AgentException>(() => client.GetTokenAsync("https://kms.example", Cancellation))));
        world.Hardware.Fault = Assay.Simulator.GuestFault.DevTools;
        world.Hardware.Answer("{\"op\":\"gpu.set-ready\",\"ready\":0}"u8.ToArray());

        Assert.Equal(("gate.cc.devtools", 503), IdOf(await Assert.ThrowsAsync<AgentException>(() => client.EnsureGpuReadyAsync(Cancellation))));
        var health = await client.GetHealthAsync(Cancellation);
        Assert.False(health.IsReady);
        Assert.Equal("gate.cc.devtools", health.Fault!.Id);
    }

    /// <summary>A key has 32 bytes, a token for a cloud thousands: the longest that is opened, under the key with the longest header.</summary>
    [Fact]
    public async Task What_is_opened_has_at_most_8192_bytes()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);
        using var client = new GuestAgentClient(agent.Socket);
        Assert.True(SealingPublicKey.TryParse((await client.GetPublicKeyAsync("release", "RSA-4096", Cancellation)).Span, out var key, out var fault), fault?.ToString());
        var token = RandomNumberGenerator.GetBytes(8192);

        using var opened = await client.UnwrapKeyAsync("release", Jwe.SealCompact(key, token, new JweTerms { Type = "JWT" }), Cancellation);
        Assert.Equal(token, opened.Use(lease => lease.Bytes.ToArray()));
        var refusal = await Assert.ThrowsAsync<AgentException>(() => client.UnwrapKeyAsync("release", Jwe.SealCompact(key, [.. token, 1]), Cancellation));
        Assert.Equal(("agent.request", 400), IdOf(refusal));
        Assert.Contains("8192", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n{\"gate\":\"verified\",\"ready\":\"yes\",\"ready\":1}\n")]
    [InlineData("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}")]
    [InlineData("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{}")]
    public async Task What_answers_and_is_no_agent_is_an_exception_too(string answer)
    {
        var folder = Directory.CreateTempSubdirectory("assay-client-").FullName;
        try
        {
            var path = Path.Combine(folder, "agent.sock");
            using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            listener.Bind(new UnixDomainSocketEndPoint(path));
            listener.Listen();
            var serving = ServeAsync(listener, answer);
            using var client = new GuestAgentClient(path);

            Assert.Equal("ctl.agent", (await Assert.ThrowsAsync<AgentException>(() => client.GetHealthAsync(Cancellation))).Id);

            listener.Dispose();
            await serving;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Without_an_agent_the_socket_is_named_and_what_to_start()
    {
        using var client = new GuestAgentClient("/nonexistent/agent.sock");

        var exception = await Assert.ThrowsAsync<AgentException>(() => client.GetHealthAsync(Cancellation));

        Assert.Equal(("ctl.agent", 0), IdOf(exception));
        Assert.Contains("/nonexistent/agent.sock", exception.Message, StringComparison.Ordinal);
        Assert.Contains("assay-agent.service", exception.Cure, StringComparison.Ordinal);
    }

    private static (string, int) IdOf(AgentException exception) => (exception.Id, exception.Status);

    private static async Task ServeAsync(Socket listener, string answer)
    {
        try
        {
            while (true)
            {
                using var connection = await listener.AcceptAsync(Cancellation);
                var buffer = new byte[4096];
                await connection.ReceiveAsync(buffer);
                await connection.SendAsync(System.Text.Encoding.ASCII.GetBytes(answer));
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }
}

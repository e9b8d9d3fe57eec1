using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Assay.Simulator;

namespace Assay.Tests.Guest;

/// <summary>The agent as a process on its unix socket: what it answers, to whom, and what it does not do for it.</summary>
public sealed class AgentTests
{
    [Fact]
    public async Task It_answers_from_the_gates_verdict_and_verifies_nothing_for_it()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);
        var before = Collections(world);

        for (var count = 0; count < 20; count++)
        {
            var attestation = await agent.JsonAsync("GetGpuAttestation");
            Assert.True(attestation.GetProperty("ready").GetBoolean());
            Assert.Equal("pass", attestation.GetProperty("verdict").GetProperty("verdict").GetString());
            Assert.True((await agent.JsonAsync("EnsureGpuReady")).GetProperty("ready").GetBoolean());
        }

        Assert.Equal(before, Collections(world));
    }

    [Fact]
    public async Task It_speaks_the_shape_of_dstacks_GpuInfo_and_counts_itself()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);

        var attestation = (await agent.JsonAsync("GpuInfo")).GetProperty("attestation").GetString()!;
        var (_, metrics) = await agent.AskAsync("Metrics");

        Assert.Equal("pass", JsonDocument.Parse(attestation).RootElement.GetProperty("verdict").GetString());
        var text = Encoding.UTF8.GetString(metrics.Span);
        Assert.Contains("assay_guest_ready 1\n", text, StringComparison.Ordinal);
        Assert.Equal(text.Split('\n').Count(line => line.StartsWith("# HELP ", StringComparison.Ordinal)), text.Split('\n').Count(line => line.StartsWith("assay_", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("GetToken", "{\"audience\":\"sts.amazonaws.com\"}", 503, "agent.no-service")]
    [InlineData("GetEvidence", "{\"challenge\":\"c\",\"jwk\":{\"kty\":\"EC\"}}", 400, "agent.foreign-key")]
    [InlineData("GetEvidence", "{\"challenge\":\"c\",\"key\":\"{\\\"kty\\\":\\\"EC\\\"}\"}", 400, "agent.key")]
    [InlineData("GetEvidence", "{\"challenge\":\"c\",\"key\":\"../tls\"}", 400, "agent.key")]
    [InlineData("GetEvidence", "{\"challenge\":\"c\",\"key\":\"a\",\"reportData\":\"00\"}", 400, "agent.request")]
    [InlineData("GetEvidence", "{\"challenge\":\"c\",\"challenge\":\"d\",\"key\":\"a\"}", 400, "agent.request")]
    [InlineData("GetEvidence", "{\"key\":\"a\"}", 400, "agent.request")]
    [InlineData("GetEvidence", "not json", 400, "agent.request")]
    [InlineData("EmitEvent", "{}", 404, "agent.method")]
    public async Task What_it_does_not_do_is_a_problem_with_a_permanent_type(string method, string body, int status, string id)
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);

        var problem = await agent.JsonAsync(method, body, status);

        Assert.Equal($"urn:assay:problem:{id}", problem.GetProperty("type").GetString());
        Assert.Equal(status, problem.GetProperty("status").GetInt32());
    }

    [Fact]
    public async Task Malformed_oversized_and_smuggled_requests_are_refused_and_others_are_served()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);
        (string Request, string Status)[] all =
        [
            ("GET / HTTP/2.0\r\n\r\n", "400"),
            ("GET http://assay/Health HTTP/1.1\r\n\r\n", "400"),
            ("PUT /Health HTTP/1.1\r\n\r\n", "405"),
            ("POST /GetEvidence HTTP/1.1\r\nContent-Length: 20000\r\n\r\n", "413"),
            ("POST /GetEvidence HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"),
            ("POST /GetEvidence HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400"),
            ("POST /GetEvidence HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "501"),
            ("POST /Health HTTP/1.1\r\nContent-Length : 0\r\n\r\n", "400"),
            ("GET /Health HTTP/1.1\r\n\r\nGET /Metrics HTTP/1.1\r\n\r\n", "400"),
            ($"GET /Health HTTP/1.1\r\nX: {new string('a', 9000)}\r\n\r\n", "431"),
        ];

        foreach (var (request, status) in all)
        {
            var answer = await agent.RawAsync(Encoding.ASCII.GetBytes(request));
            Assert.True(answer.StartsWith($"HTTP/1.1 {status} ", StringComparison.Ordinal) || (status is "431" && answer.Length == 0), $"{request.Split('\r')[0]}: {answer}");
        }

        Assert.True((await agent.JsonAsync("Health")).GetProperty("ready").GetBoolean());
    }

    [Fact]
    public async Task Silent_connections_hold_up_nobody()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);
        var silent = new List<Socket>();
        for (var count = 0; count < 16; count++)
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(agent.Socket), TestContext.Current.CancellationToken);
            await socket.SendAsync("GET /Hea"u8.ToArray());
            silent.Add(socket);
        }

        Assert.True((await agent.JsonAsync("Health")).GetProperty("ready").GetBoolean());
        silent.ForEach(socket => socket.Dispose());
    }

    [Fact]
    public async Task A_key_from_outside_needs_a_measured_permission_which_gives_the_gate_another_policy()
    {
        const string jwk = """{"crv":"P-256","kty":"EC","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}""";
        await using var world = await GuestWorld.StartAsync();
        var refused = world.Run("digest", world.At("/usr/lib/assay/guest.json")).Output;
        world.Configure(("agent", "{\"dangerouslyAllowForeignKey\":true}"));
        Assert.NotEqual(refused, world.Run("digest", world.At("/usr/lib/assay/guest.json")).Output);
        using var agent = await RunningAgent.StartVerifiedAsync(world);

        var answer = await agent.JsonAsync("GetEvidence", $$"""{"challenge":"c","jwk":{{jwk}}}""");

        Assert.Equal(jwk, answer.GetProperty("key").GetRawText());
        await agent.JsonAsync("GetEvidence", $$"""{"challenge":"c","jwk":{{jwk}},"key":"release"}""", 400);
        await agent.JsonAsync("GetEvidence", """{"challenge":"c","jwk":"text"}""", 400);
    }

    [Fact]
    public async Task Many_at_once_each_get_evidence_for_their_own_challenge()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);
        var answers = new ConcurrentDictionary<string, ReadOnlyMemory<byte>>();

        await Parallel.ForEachAsync(Enumerable.Range(0, 8), TestContext.Current.CancellationToken, async (number, _) =>
        {
            var challenge = $"challenge-{number}";
            answers[challenge] = (await agent.AskAsync("GetEvidence", $$"""{"challenge":"{{challenge}}","key":"release"}""")).Body;
        });

        Assert.Equal(8, answers.Count);
        Assert.Single(answers.Values.Select(body => JsonDocument.Parse(body).RootElement.GetProperty("key").GetRawText()).Distinct());
        Assert.All(answers, answer => Assert.Equal(answer.Key, JsonDocument.Parse(answer.Value).RootElement.GetProperty("nonce").GetString()));
        Assert.Equal(8, answers.Values.Select(body => JsonDocument.Parse(body).RootElement.GetProperty("gpus")[0].GetProperty("evidence").GetString()).Distinct().Count());
    }

    [Fact]
    public async Task A_gpu_that_disappears_takes_the_ready_state_with_it_and_comes_back_only_verified()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);

        world.Hardware.Unplugged = 1;
        Assert.True(SpinWait.SpinUntil(() => !world.Hardware.IsReady, Patience.Long));
        Assert.Equal("urn:assay:problem:gate.devices.count", (await agent.JsonAsync("EnsureGpuReady", "", 503)).GetProperty("type").GetString());

        world.Hardware.Unplugged = -1;
        world.Hardware.Fault = GuestFault.DevTools;
        Assert.Equal("urn:assay:problem:gate.cc.devtools", (await agent.JsonAsync("EnsureGpuReady", "", 503)).GetProperty("type").GetString());
        Assert.False(world.Hardware.IsReady);

        world.Hardware.Fault = GuestFault.None;
        var before = Collections(world);
        Assert.True((await agent.JsonAsync("EnsureGpuReady")).GetProperty("ready").GetBoolean());
        Assert.True(world.Hardware.IsReady);
        Assert.Equal(before + 1, Collections(world));
        // The boot's record is the gate's alone.
        Assert.Equal(["gpu-policy", "gpu-attestation", "system-ready"], world.Events());
    }

    [Fact]
    public async Task A_closed_gate_vouches_for_nothing_and_nothing_makes_it_ready()
    {
        await using var world = await GuestWorld.StartAsync();
        world.Hardware.Fault = GuestFault.CcOff;
        Assert.Equal(1, world.Run("gate").ExitCode);
        world.Hardware.Fault = GuestFault.None;
        using var agent = RunningAgent.Start(world);

        var health = await agent.JsonAsync("Health");
        Assert.Equal("failed", health.GetProperty("gate").GetString());
        Assert.False(health.GetProperty("ready").GetBoolean());
        await agent.JsonAsync("EnsureGpuReady", "", 503);
        Assert.False(world.Hardware.IsReady);
    }

    [Fact]
    public async Task Another_user_is_answered_only_where_the_image_names_him()
    {
        var setpriv = Peer.Require("setpriv");
        // The system's own: another user sees nothing of what is installed for this one.
        var python = Peer.RequireModule("/usr/bin/python3", "socket", "python3");
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root can become another user");
        await using var world = await GuestWorld.StartAsync();
        foreach (var folder in new[] { world.Folder, world.Root })
        {
            File.SetUnixFileMode(folder, (UnixFileMode)0b111_101_101);
        }

        using (await RunningAgent.StartVerifiedAsync(world))
        {
            Assert.Contains("403 Forbidden", Ask(), StringComparison.Ordinal);
        }

        world.Configure(("agent", """{"users":[65534]}"""));
        using (RunningAgent.Start(world))
        {
            Assert.Contains("200 OK", Ask(), StringComparison.Ordinal);
        }

        string Ask() => setpriv.Run(
            "--reuid=65534", "--regid=65534", "--clear-groups", python.Program, "-c",
            "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\ns.sendall(b'GET /Health HTTP/1.1\\r\\n\\r\\n')\nr=b''\nwhile True:\n  b=s.recv(65536)\n  if not b: break\n  r+=b\nprint(r.decode())",
            world.At("/run/assay/agent.sock")).Output;
    }

    [Fact]
    public async Task Users_who_may_not_ask_take_no_place_from_those_who_may()
    {
        var setpriv = Peer.Require("setpriv");
        var python = Peer.RequireModule("/usr/bin/python3", "socket", "python3");
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root can become another user");
        await using var world = await GuestWorld.StartAsync();
        foreach (var folder in new[] { world.Folder, world.Root })
        {
            File.SetUnixFileMode(folder, (UnixFileMode)0b111_101_101);
        }

        using var agent = await RunningAgent.StartVerifiedAsync(world);
        // It holds more connections than there are places, and says nothing.
        using var stranger = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(setpriv.Program, [
            "--reuid=65534", "--regid=65534", "--clear-groups", python.Program, "-c",
            "import socket,sys,time\nheld=[]\nfor n in range(64):\n  s=socket.socket(socket.AF_UNIX)\n  s.connect(sys.argv[1])\n  held.append(s)\nprint('held',flush=True)\ntime.sleep(10**6)",
            agent.Socket])
        { RedirectStandardOutput = true })!;
        try
        {
            Assert.Equal("held", await stranger.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));

            Assert.True((await agent.JsonAsync("Health")).GetProperty("ready").GetBoolean());
        }
        finally
        {
            stranger.Kill();
            await stranger.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task The_command_for_people_prints_what_the_agent_answers()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);

        var health = world.Run("ctl", "health");
        var evidence = world.Run("ctl", "evidence", "challenge", "release");

        Assert.Equal(0, health.ExitCode);
        Assert.True(JsonDocument.Parse(health.Output).RootElement.GetProperty("ready").GetBoolean());
        Assert.Equal("challenge", JsonDocument.Parse(evidence.Output).RootElement.GetProperty("nonce").GetString());
        Assert.Equal(2, world.Run("ctl", "emit").ExitCode);
        Assert.Contains("agent.no-service", world.Run("ctl", "token", "here").Error, StringComparison.Ordinal);
    }

    private static int Collections(GuestWorld world) => world.Hardware.Operations.GetValueOrDefault("gpu.evidence");
}

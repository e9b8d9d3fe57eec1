using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Guest.Agent;
using Assay.Sealing;
using Assay.Sealing.Keys;
using Assay.Sealing.Packs;
using Assay.Tests.Sealing;
using Base64Url = System.Buffers.Text.Base64Url;

namespace Assay.Tests.Guest;

/// <summary>
/// The memory of the real agent, and of the real <c>unseal</c>, as root reads all of it: private keys, data keys and content are in locked pages that no dump
/// has, and in no other place. The rest of the agent's own user reads nothing. Each attack is first seen to succeed.
/// </summary>
public sealed class AgentMemoryTests : IDisposable
{
    private const string Id = "weights/tiny@1";
    private const int Alignment = 16;

    // Stops the process in the middle of its work: at a write that is not the first, or when all is written. Nothing else of it changes.
    private const string Holding = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <signal.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/types.h>
        static int held;
        static void hold(const char *at) {
            const char *where = getenv("ASSAY_TEST_HOLD");
            if (!held && where && strcmp(where, at) == 0) { held = 1; raise(SIGSTOP); }
        }
        ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
            if (offset > 0) hold("write");
            return ((ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64"))(file, bytes, count, offset);
        }
        int fsync(int file) {
            hold("flush");
            return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file);
        }
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("assay-agent-memory-");
    private readonly byte[] _content = RandomNumberGenerator.GetBytes((5 * 16384) + 7);

    private string Sealed => Path.Combine(_folder.FullName, "content.sealed");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("P-256")]
    [InlineData("P-384")]
    [InlineData("P-521")]
    [InlineData("RSA-3072")]
    public async Task The_agent_has_private_keys_in_locked_pages_alone_and_no_data_key_or_content_at_all(string kind)
    {
        UserProcess.RequireRoot();
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);
        var key = await SealAsync(agent.Socket, kind);

        // Data keys go through it, for this test and for the program; others of its keys come into being, and evidence is made.
        var dataKeys = new List<byte[]>();
        for (var count = 0; count < 4; count++)
        {
            dataKeys.Add(await UnwrapAsync(agent.Socket));
            await agent.JsonAsync("GetPublicKey", $$"""{"key":"other-{{count}}"}""");
        }

        var unsealed = world.Run("unseal", Sealed, "--id", Id, "--key", "release", "--exec", "sha256sum");
        await agent.JsonAsync("GetEvidence", """{"challenge":"Y2hhbGxlbmdl","key":"release"}""");
        Assert.StartsWith(Convert.ToHexStringLower(SHA256.HashData(_content)), unsealed.Output, StringComparison.Ordinal);

        var (address, privateKey) = FindPrivateKey(agent.Id, key);
        var seen = ProcessMemory.Find(agent.Id, [privateKey]);
        Assert.Contains(address, seen);
        Assert.DoesNotContain(seen, at => at < address || at >= address + (ulong)privateKey.Length);
        Assert.Single(dataKeys.Select(Convert.ToHexString).Distinct());
        Assert.Empty(ProcessMemory.Find(agent.Id, [dataKeys[0], _content]));

        // What one careless copy would leave, the same scan finds.
        foreach (var secret in (byte[][])[privateKey, dataKeys[0], _content[..64]])
        {
            var planted = ProcessMemory.Plant(agent.Id, secret);
            Assert.Contains(planted, ProcessMemory.Find(agent.Id, [secret]));
        }
    }

    [Fact]
    public async Task While_it_opens_a_file_unseal_has_data_key_and_content_in_locked_pages_alone_and_afterwards_nowhere()
    {
        UserProcess.RequireRoot();
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);
        await SealAsync(agent.Socket, "P-384");
        byte[][] secrets = [await UnwrapAsync(agent.Socket), _content];
        var library = Compile();

        using (var opening = Begin("write", "--exec", "sha256sum"))
        {
            var locked = ProcessMemory.Locked(opening.Id);
            Assert.All(secrets, secret => Assert.Contains(ProcessMemory.Find(opening.Id, [secret]), at => locked.Any(area => area.Has(at))));
            Assert.DoesNotContain(ProcessMemory.Find(opening.Id, secrets), at => !locked.Any(area => area.Has(at)));
            GoOn(opening.Id);
            Assert.StartsWith(Convert.ToHexStringLower(SHA256.HashData(_content)), GuestWorld.EndOf(opening).Output, StringComparison.Ordinal);
        }

        using (var opened = Begin("flush", "--out", Path.Combine(_folder.FullName, "opened")))
        {
            Assert.Empty(ProcessMemory.Find(opened.Id, secrets));
            GoOn(opened.Id);
            Assert.Equal(0, GuestWorld.EndOf(opened).ExitCode);
            Assert.Equal(_content, File.ReadAllBytes(Path.Combine(_folder.FullName, "opened")));
        }

        System.Diagnostics.Process Begin(string hold, params string[] words)
        {
            var process = world.Begin([("LD_PRELOAD", library), ("ASSAY_TEST_HOLD", hold)], ["unseal", Sealed, "--id", Id, "--key", "release", .. words]);
            Assert.True(SpinWait.SpinUntil(() => process.HasExited || StateOf(process.Id) == 'T', Patience.Long));
            Assert.False(process.HasExited, process.HasExited ? GuestWorld.EndOf(process).Error : "");
            return process;
        }
    }

    [Fact]
    public async Task Another_process_of_the_agents_user_reads_nothing_of_it_and_its_crash_leaves_no_core()
    {
        UserProcess.RequireRoot();
        await using var world = await GuestWorld.StartAsync();
        // The same program where there are no secrets yet: a gate that waits.
        Give(world);
        world.Hardware.HoldAt = "notify";
        using (var gate = new UserProcess(world.Folder, ["dotnet", .. world.Words("gate")]))
        {
            Assert.True(SpinWait.SpinUntil(() => world.Hardware.Steps.Contains("notify") || gate.HasEnded, Patience.Long));
            Assert.True(IsReadable(gate), "the attack does not work on an unprotected process: the test could not fail");
            Assert.True(gate.IsDumpedBySameUser(world.Folder), "the attack does not work on an unprotected process: the test could not fail");
            Assert.Contains("core dumped", gate.Crash(), StringComparison.Ordinal);
        }

        world.Hardware.Release();
        world.Reboot();
        Assert.Equal(0, world.Run("gate").ExitCode);
        Assert.Equal(0, world.Run("seal-boot").ExitCode);
        Give(world);
        using var agent = new UserProcess(world.Folder, ["dotnet", .. world.Words("agent")]);
        var socket = world.At("/run/assay/agent.sock");
        Assert.True(SpinWait.SpinUntil(() => agent.HasEnded || RunningAgent.CanConnect(socket), Patience.Long));
        var key = await SealAsync(socket, "P-384");
        var (_, privateKey) = FindPrivateKey(agent.Id, key);

        Assert.False(IsReadable(agent));
        Assert.False(agent.IsDumpedBySameUser(world.Folder));
        Assert.False(ProcessMemory.Holds(agent.Core(world.Folder), [privateKey]));
        var said = agent.Crash();
        Assert.Contains("ended 159", said, StringComparison.Ordinal);
        Assert.DoesNotContain("core dumped", said, StringComparison.Ordinal);
    }

    // All that the guest's user needs: the VM's files, and its hardware's socket.
    private static void Give(GuestWorld world) => Assert.True(Peer.Require("chown").Run("-R", $"{UserProcess.User}:{UserProcess.User}", world.Folder).Accepted);

    private static bool IsReadable(UserProcess process) =>
        process.IsReadBySameUser(File.ReadLines($"/proc/{process.Id}/maps").Select(ProcessMemory.AreaOf).First(area => area is { IsReadable: true })!.Start, 16);

    private static char StateOf(int process)
    {
        var stat = File.ReadAllText($"/proc/{process}/stat");
        return stat[stat.LastIndexOf(')') + 2];
    }

    private static void GoOn(int process) => Assert.True(Peer.Require("bash").Run("-c", $"kill -CONT {process}").Accepted);

    private string Compile()
    {
        var (source, library) = (Path.Combine(_folder.FullName, "hold.c"), Path.Combine(_folder.FullName, "hold.so"));
        File.WriteAllText(source, Holding);
        var answer = Peer.Require("gcc").Run("-shared", "-fPIC", "-O1", "-o", library, source, "-ldl");
        Assert.True(answer.Accepted, answer.Output);
        return library;
    }

    // For root's key "release", which this makes.
    private async Task<SealingPublicKey> SealAsync(string socket, string kind)
    {
        var jwk = await AskAsync(socket, "GetPublicKey", $$"""{"key":"release","kind":"{{kind}}"}""");
        Assert.True(SealingPublicKey.TryParse(jwk.Span, out var key, out var fault), fault?.ToString());
        using var target = File.Create(Sealed);
        Assert.Null(SealedFile.Seal([key], Id, _content.Length, new MemoryStream(_content), target, cancellation: TestContext.Current.CancellationToken));
        return key;
    }

    // The data key of the sealed file, as any program in the VM gets it.
    private async Task<byte[]> UnwrapAsync(string socket)
    {
        using var file = File.OpenRead(Sealed);
        Assert.True(SealedFile.TryReadKeys(file, out var keys, out var fault), fault?.ToString());
        using var own = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        var answer = await AskAsync(socket, "UnwrapKey", $$"""{"key":"release","wrapped":"{{keys.Value[0]}}","recipient":{{own.PublicKey.Jwk}}}""");
        using var document = JsonDocument.Parse(answer);
        Assert.True(own.TryUnwrapKey(Encoding.ASCII.GetBytes(document.RootElement.GetProperty("wrapped").GetString()!), out var dataKey, out fault), fault?.ToString());
        using (dataKey)
        {
            return dataKey.Bytes();
        }
    }

    private static async Task<ReadOnlyMemory<byte>> AskAsync(string socket, string method, string body)
    {
        var (status, answer) = await AgentClient.AskAsync(socket, method, body, TestContext.Current.CancellationToken);
        Assert.True(status == 200, string.Create(CultureInfo.InvariantCulture, $"{status}: {Encoding.UTF8.GetString(answer.Span)}"));
        return answer;
    }

    // No program gives it out: it is what, in a locked page, belongs to the public key.
    private static (ulong Address, byte[] Bytes) FindPrivateKey(int process, SealingPublicKey key)
    {
        foreach (var area in ProcessMemory.Locked(process))
        {
            var pages = ProcessMemory.Read(process, area.Start, (int)(area.End - area.Start));
            for (var at = 0; at < pages.Length; at += Alignment)
            {
                if (LengthOfPrivateKey(pages.AsSpan(at), key) is var length && length > 0)
                {
                    return (area.Start + (ulong)at, pages[at..(at + length)]);
                }
            }
        }

        Assert.Fail("no locked page has the private key");
        return default;
    }

    // A scalar, or d, p, q and what follows from them; least byte first.
    private static int LengthOfPrivateKey(ReadOnlySpan<byte> bytes, SealingPublicKey key)
    {
        if (key.Curve is { } curve)
        {
            if (bytes.Length < curve.FieldBytes || !bytes[..curve.FieldBytes].ContainsAnyExcept((byte)0))
            {
                return 0;
            }

            var scalar = bytes[..curve.FieldBytes].ToArray();
            scalar.AsSpan().Reverse();
            using var secret = TestKeys.Secret(scalar);
            if (!SealingKeyPair.TryOfScalar(key.Kind, secret, out var pair, out _))
            {
                return 0;
            }

            using (pair)
            {
                return pair.PublicKey.Equals(key) ? curve.FieldBytes : 0;
            }
        }

        using var jwk = JsonDocument.Parse(key.Jwk);
        var modulus = Base64Url.DecodeFromChars(jwk.RootElement.GetProperty("n").GetString());
        var (size, half) = (modulus.Length, modulus.Length / 2);
        if (bytes.Length < size + (5 * half))
        {
            return 0;
        }

        var factor = new BigInteger(bytes.Slice(size, half), isUnsigned: true);
        return factor > 1 && new BigInteger(modulus, isUnsigned: true, isBigEndian: true) % factor == 0 ? size + (5 * half) : 0;
    }
}

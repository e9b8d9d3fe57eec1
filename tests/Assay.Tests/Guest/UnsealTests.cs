using System.Text;
using System.Text.Json;
using Assay.Tests.Cli;

namespace Assay.Tests.Guest;

/// <summary>A file is sealed to the key that a VM's evidence has, and opens inside that VM, for that user, in that boot, under its id; nowhere else.</summary>
public sealed class UnsealTests
{
    private const string Challenge = "Y2hhbGxlbmdlIG9mIGEgcmVseWluZyBwYXJ0eQ==";
    private const string Id = "weights/tiny@1";
    private static readonly AssayCommand s_assay = new();

    [Theory]
    [InlineData("P-256")]
    [InlineData("P-384")]
    [InlineData("P-521")]
    [InlineData("RSA-3072")]
    public async Task What_is_sealed_to_the_key_of_judged_evidence_opens_inside(string kind)
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);
        var content = System.Security.Cryptography.RandomNumberGenerator.GetBytes(3 * 16384 + 5);
        var file = await SealAsync(world, agent, content, kind);

        var executed = world.Run("unseal", file, "--id", Id, "--key", "release", "--exec", "sha256sum", "-");
        var written = world.Run("unseal", file, "--id", Id, "--key", "release", "--out", Path.Combine(world.Folder, "opened"));

        Assert.Equal((0, ""), (executed.ExitCode, executed.Error));
        Assert.StartsWith(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(content)), executed.Output, StringComparison.Ordinal);
        Assert.Equal(0, written.ExitCode);
        Assert.Equal(content, File.ReadAllBytes(Path.Combine(world.Folder, "opened")));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(world.Folder, "opened")));
    }

    [Fact]
    public async Task The_key_states_where_it_lives_and_the_statement_is_signed_with_it()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);

        var (_, bundle) = await agent.AskAsync("GetEvidence", $$"""{"challenge":"{{Challenge}}","key":"release"}""");
        var forged = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(bundle.Span).Replace("cvm-memory", "tpm", StringComparison.Ordinal));

        Assert.Equal("cvm-memory", JsonDocument.Parse(bundle).RootElement.GetProperty("key").GetProperty("x-assay-key-storage").GetString());
        Assert.Equal("boot-event", (await GuestVerdict.OfAsync(world, bundle, Challenge)).Binding);
        Assert.False((await GuestVerdict.OfAsync(world, forged, Challenge)).Passed);
    }

    [Fact]
    public async Task It_opens_in_no_other_machine_or_boot_and_under_no_other_id_or_key()
    {
        await using var world = await GuestWorld.StartAsync();
        await using var other = await GuestWorld.StartAsync();
        var agent = await RunningAgent.StartVerifiedAsync(world);
        using var others = await RunningAgent.StartVerifiedAsync(other);
        var file = await SealAsync(world, agent, System.Security.Cryptography.RandomNumberGenerator.GetBytes(100), "P-384");
        await others.AskAsync("GetPublicKey", """{"key":"release"}""");

        Refused(world, "sealing.pack.id", file, "--id", "weights/tiny@2", "--key", "release");
        Refused(world, "sealing.pack.recipient", file, "--id", Id, "--key", "another");
        Refused(other, "sealing.pack.recipient", file, "--id", Id, "--key", "release");

        // The agent's end is the key's end.
        agent.Dispose();
        using var next = RunningAgent.Start(world);
        Refused(world, "sealing.pack.recipient", file, "--id", Id, "--key", "release");
    }

    [Fact]
    public async Task A_changed_or_cut_file_leaves_nothing_behind()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);
        var file = await SealAsync(world, agent, System.Security.Cryptography.RandomNumberGenerator.GetBytes(2 * 16384), "P-384");
        var bytes = File.ReadAllBytes(file);

        File.WriteAllBytes(file, bytes[..^1]);
        Refused(world, "sealing.pack.length", file, "--id", Id, "--key", "release");
        bytes[^1] ^= 1;
        File.WriteAllBytes(file, bytes);
        Refused(world, "sealing.pack.chunk", file, "--id", Id, "--key", "release");

        Assert.Equal(["content", "content.sealed", "hardware.sock", "key.jwk", "root"], Directory.EnumerateFileSystemEntries(world.Folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Devices_that_are_no_longer_ready_end_the_opening()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);
        var file = await SealAsync(world, agent, System.Security.Cryptography.RandomNumberGenerator.GetBytes(10), "P-384");

        world.Hardware.Unplugged = 1;
        Assert.True(SpinWait.SpinUntil(() => !world.Hardware.IsReady, Patience.Long));

        Refused(world, "gate.devices.count", file, "--id", Id, "--key", "release");
    }

    [Fact]
    public async Task The_command_gets_the_content_and_nothing_of_this_process()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);
        var file = await SealAsync(world, agent, "once\n"u8.ToArray(), "P-384");

        var answer = world.Run("unseal", file, "--id", Id, "--key", "release", "--exec", "sh", "-c", "cat; ls /proc/self/fd | wc -l; awk '/SigBlk/ { print $2 }' /proc/self/status; trap '' INT QUIT; awk '/SigIgn/ { print $2 }' /proc/self/status; ulimit -c; exit 7");

        // 0 to 2, and the folder that ls itself reads. Interrupt and quit are ignored by whatever runs in a shell's background, these tests too.
        Assert.Equal("once\n4\n0000000000000000\n0000000000000006\n0\n", answer.Output);
        Assert.Equal(7, answer.ExitCode);
        Assert.Contains("unseal.exec", world.Run("unseal", file, "--id", Id, "--key", "release", "--exec", "/nonexistent").Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"key":"release","wrapped":"a.b.c.d.e"}""", 400, "agent.request")]
    [InlineData("""{"key":"release","wrapped":"a.b.c.d.e","recipient":{"kty":"EC"}}""", 400, "sealing.key")]
    [InlineData("""{"key":"never-named","wrapped":"a.b.c.d.e","recipient":{"crv":"P-256","kty":"EC","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}}""", 400, "agent.key")]
    [InlineData("""{"key":"release","wrapped":"a.b.c.d.e","recipient":{"crv":"P-256","kty":"EC","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}}""", 400, "sealing.jwe.form")]
    [InlineData("""{"key":"release","wrapped":"a.b.c.d.e","cms":"MAA=","recipient":{"crv":"P-256","kty":"EC","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}}""", 400, "agent.request")]
    [InlineData("""{"key":"release","cms":"*","recipient":{"crv":"P-256","kty":"EC","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}}""", 400, "agent.request")]
    [InlineData("""{"key":"release","cms":"MAA=","recipient":{"crv":"P-256","kty":"EC","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}}""", 400, "sealing.cms.algorithm")]
    public async Task Requests_to_unwrap_are_read_strictly(string body, int status, string id)
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);
        await agent.AskAsync("GetPublicKey", """{"key":"release"}""");

        Assert.Equal($"urn:assay:problem:{id}", (await agent.JsonAsync("UnwrapKey", body, status)).GetProperty("type").GetString());
    }

    [Fact]
    public async Task Each_user_has_keys_of_its_own_a_kind_stays_and_their_number_ends()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);

        await agent.JsonAsync("GetPublicKey", """{"key":"a","kind":"P-256"}""");
        Assert.Equal("urn:assay:problem:agent.key", (await agent.JsonAsync("GetPublicKey", """{"key":"a","kind":"P-384"}""", 400)).GetProperty("type").GetString());
        Assert.Equal("urn:assay:problem:agent.request", (await agent.JsonAsync("GetPublicKey", """{"key":"b","kind":"X25519"}""", 400)).GetProperty("type").GetString());
        for (var count = 1; count < 16; count++)
        {
            await agent.JsonAsync("GetPublicKey", $$"""{"key":"k{{count}}","kind":"P-256"}""");
        }

        Assert.Equal("urn:assay:problem:agent.keys", (await agent.JsonAsync("GetPublicKey", """{"key":"one-more"}""", 400)).GetProperty("type").GetString());
    }

    // As a model owner does: judges the evidence, takes the key out of it, seals.
    private static async Task<string> SealAsync(GuestWorld world, RunningAgent agent, byte[] content, string kind)
    {
        var (status, bundle) = await agent.AskAsync("GetEvidence", $$"""{"challenge":"{{Challenge}}","key":"release","kind":"{{kind}}"}""");
        Assert.True(status == 200, Encoding.UTF8.GetString(bundle.Span));
        Assert.Equal("boot-event", (await GuestVerdict.OfAsync(world, bundle, Challenge)).Binding);
        var (key, file) = (Path.Combine(world.Folder, "key.jwk"), Path.Combine(world.Folder, "content"));
        File.WriteAllText(key, JsonDocument.Parse(bundle).RootElement.GetProperty("key").GetRawText());
        File.WriteAllBytes(file, content);
        s_assay.Says(0, "seal", file, "--to", key, "--id", Id);
        return file + ".sealed";
    }

    private static void Refused(GuestWorld world, string id, string file, params string[] words)
    {
        var output = Path.Combine(world.Folder, "opened");
        var answer = world.Run(["unseal", file, .. words, "--out", output]);
        Assert.Equal(1, answer.ExitCode);
        Assert.Contains(id, answer.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(output));
        Assert.DoesNotContain("ran", world.Run(["unseal", file, .. words, "--exec", "echo", "ran"]).Output, StringComparison.Ordinal);
    }
}

using System.Text;
using System.Text.Json;
using Assay.Guest;
using Assay.Guest.Secrets;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;
using Assay.Tests.Cli;

namespace Assay.Tests.Guest;

/// <summary>Release keys that a TPM of the TEE makes and keeps.</summary>
public sealed class TpmReleaseKeyTests
{
    private const string Challenge = "Y2hhbGxlbmdlIG9mIGEgcmVseWluZyBwYXJ0eQ==";
    private const string Id = "weights/tiny@1";
    private const string Configuration = """{"keyStorage":"tpm"}""";
    private static readonly AssayCommand s_assay = new();

    [Theory]
    [InlineData("P-256")]
    [InlineData("P-384")]
    [InlineData("P-521")]
    public async Task What_is_sealed_to_a_key_in_the_TPM_opens_with_it_until_the_next_boot(string kind)
    {
        await using var guest = await VtpmGuest.StartAsync(configuration: ("agent", Configuration));
        var agent = await RunningAgent.StartVerifiedAsync(guest.World);
        var (status, bundle) = await agent.AskAsync("GetEvidence", $$"""{"challenge":"{{Challenge}}","key":"release","kind":"{{kind}}"}""");
        Assert.True(status == 200, Encoding.UTF8.GetString(bundle.Span));
        var key = JsonDocument.Parse(bundle).RootElement.GetProperty("key");
        var (jwk, file) = (Path.Combine(guest.World.Folder, "key.jwk"), Path.Combine(guest.World.Folder, "content"));
        File.WriteAllText(jwk, key.GetRawText());
        File.WriteAllText(file, "for the TPM's key\n");
        s_assay.Says(0, "seal", file, "--to", jwk, "--id", Id);

        var verdict = await guest.JudgeAsync(bundle, Challenge);
        var opened = guest.World.Run("unseal", file + ".sealed", "--id", Id, "--key", "release", "--exec", "cat");
        agent.Dispose();

        Assert.True(verdict.Passed, $"{verdict} {string.Join(' ', VtpmGuest.Failed(verdict))}");
        Assert.Equal("tpm", key.GetProperty("x-assay-key-storage").GetString());
        Assert.Equal((0, "", "for the TPM's key\n"), (opened.ExitCode, opened.Error, opened.Output));
    }

    [Fact]
    public async Task A_key_of_the_TPM_ends_with_the_boot_even_if_its_template_was_kept()
    {
        await using var guest = await VtpmGuest.StartAsync(configuration: ("agent", Configuration));
        Assert.Null((await guest.GateAsync()).Fault);
        using var pair = new TpmReleaseKeys(guest.Configuration, guest.Sources).Generate(KeyKind.P384);
        var sealedKey = Encoding.ASCII.GetBytes(Jwe.SealCompact(pair.PublicKey, "key"u8));
        Assert.True(Jwe.TryOpen(pair, sealedKey, out var opened, out _));
        opened.Dispose();

        guest.Reboot();

        Assert.Equal("agent.key-storage", Assert.Throws<GuestException>(() => Jwe.TryOpen(pair, sealedKey, out _, out _)).Fault.Id);
    }

    /// <summary>TPM2_Shutdown(STATE) before a reset keeps the null seed (part 1, "TPM Restart"): root can have it so, and boot another image.</summary>
    [Fact]
    public async Task A_key_of_the_TPM_ends_with_the_boot_where_root_told_the_TPM_to_keep_its_state()
    {
        await using var guest = await VtpmGuest.StartAsync(configuration: ("agent", Configuration));
        Assert.Null((await guest.GateAsync()).Fault);
        using var pair = new TpmReleaseKeys(guest.Configuration, guest.Sources).Generate(KeyKind.P384);
        var sealedKey = Encoding.ASCII.GetBytes(Jwe.SealCompact(pair.PublicKey, "key"u8));
        var answer = new byte[4096];
        Assert.Equal(10, guest.Transport.Exchange([0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x45, 0, 1], answer));
        Assert.Equal(0, answer.AsSpan(6, 4).IndexOfAnyExcept((byte)0) + 1);

        guest.Reboot();

        Assert.Equal("agent.key-storage", Assert.Throws<GuestException>(() => Jwe.TryOpen(pair, sealedKey, out _, out _)).Fault.Id);
    }

    [Fact]
    public void A_device_that_answers_with_too_little_keeps_nothing_of_it_alive()
    {
        using var other = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        var answered = Assay.Sealing.Memory.SecretMemory.Locked.Allocate(47);
        using var pair = SealingKeyPair.OfDevice(other.PublicKey, _ => answered);
        var sealedKey = Encoding.ASCII.GetBytes(Jwe.SealCompact(pair.PublicKey, "key"u8));

        Assert.Throws<Assay.Sealing.SealingException>(() => Jwe.TryOpen(pair, sealedKey, out _, out _));
        Assert.Throws<ObjectDisposedException>(() => answered.Use(_ => { }));
    }

    [Fact]
    public async Task Kinds_that_no_TPM_agrees_with_and_points_off_the_curve_are_refused()
    {
        await using var guest = await VtpmGuest.StartAsync(configuration: ("agent", Configuration));
        Assert.Null((await guest.GateAsync()).Fault);
        var keys = new TpmReleaseKeys(guest.Configuration, guest.Sources);

        Assert.Equal("agent.key-storage", Assert.Throws<GuestException>(() => keys.Generate(KeyKind.Rsa3072)).Fault.Id);
        using var pair = keys.Generate(KeyKind.P256);
        var header = System.Buffers.Text.Base64Url.EncodeToString("""{"alg":"ECDH-ES","enc":"A256GCM","epk":{"crv":"P-256","kty":"EC","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY"}}"""u8);
        Assert.False(Jwe.TryOpen(pair, Encoding.ASCII.GetBytes($"{header}..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA"), out _, out var fault));
        Assert.Equal("sealing.jwe.form", fault!.Id);
    }

    [Fact]
    public async Task A_key_of_another_TPM_is_not_taken()
    {
        await using var guest = await VtpmGuest.StartAsync(configuration: ("agent", Configuration));
        Assert.Null((await guest.GateAsync()).Fault);
        using var theirs = new ParavisorTpm(isTdx: false);

        Assert.Equal("gate.report.register", Assert.Throws<GuestException>(() => new TpmReleaseKeys(guest.Configuration, guest.Sources with { Tpm = () => theirs.Transport }).Generate(KeyKind.P384)).Fault.Id);
    }
}

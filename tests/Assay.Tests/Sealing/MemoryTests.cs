using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;
using Assay.Sealing.Packs;

namespace Assay.Tests.Sealing;

/// <summary>
/// What other processes see of secrets: a child opens a sealed file as a guest does, and is looked into from outside. Each attack is first seen to
/// succeed on the same child without protection.
/// </summary>
public sealed class MemoryTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("assay-secret-");
    private readonly byte[] _content = RandomNumberGenerator.GetBytes(40_000);

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(KeyKind.P384)]
    [InlineData(KeyKind.P521)]
    [InlineData(KeyKind.Rsa3072)]
    [InlineData(KeyKind.P256)]
    public void While_it_is_held_a_secret_is_in_its_own_pages_alone_and_afterwards_nowhere(KeyKind kind)
    {
        UserProcess.RequireRoot();
        using var holder = Start(kind, isProtected: true);
        var places = holder.Held;
        var secrets = places.Select(place => ProcessMemory.Read(holder.Id, place.Address, place.Length)).ToArray();
        Assert.Equal(_content, secrets[2]);

        // The scan sees them where they are, so it would see them elsewhere too.
        var seen = ProcessMemory.Find(holder.Id, secrets);
        Assert.All(places, place => Assert.Contains(seen, at => at == place.Address));
        Assert.DoesNotContain(seen, at => !places.Any(place => at >= place.Address && at < place.Address + (ulong)place.Length));

        holder.Ask("wipe");
        Assert.Empty(ProcessMemory.Find(holder.Id, secrets));
    }

    [Fact]
    public void The_scan_finds_what_lingers()
    {
        UserProcess.RequireRoot();
        using var holder = Start(KeyKind.P384, isProtected: false);
        holder.Ask("wipe");

        Assert.NotEmpty(ProcessMemory.Find(holder.Id, [_content]));
    }

    [Fact]
    public void A_process_of_the_same_user_cannot_read_the_memory()
    {
        UserProcess.RequireRoot();
        using var open = Start(KeyKind.P384, isProtected: false);
        using var closed = Start(KeyKind.P384, isProtected: true);

        Assert.True(IsReadBySameUser(open), "the attack does not work on an unprotected process: the test could not fail");
        Assert.False(IsReadBySameUser(closed));
        Assert.True(open.Process.IsDumpedBySameUser(_folder.FullName), "the attack does not work on an unprotected process: the test could not fail");
        Assert.False(closed.Process.IsDumpedBySameUser(_folder.FullName));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_crash_leaves_a_core_only_without_protection(bool isProtected)
    {
        UserProcess.RequireRoot();
        using var holder = Start(KeyKind.P384, isProtected);
        holder.Tell("abort");
        var said = holder.Process.End();

        // The shell that waited says whether the kernel wrote one, wherever cores go.
        Assert.Equal(!isProtected, said.Contains("core dumped", StringComparison.Ordinal));
    }

    [Fact]
    public void A_core_that_root_takes_lacks_the_secret_pages()
    {
        UserProcess.RequireRoot();
        using var open = Start(KeyKind.P384, isProtected: false);
        using var closed = Start(KeyKind.P384, isProtected: true);
        var secrets = closed.Held.Select(place => ProcessMemory.Read(closed.Id, place.Address, place.Length)).ToArray();

        Assert.True(ProcessMemory.Holds(open.Process.Core(_folder.FullName), [_content]), "the core of an unprotected process lacks the bytes too: the test could not fail");
        Assert.False(ProcessMemory.Holds(closed.Process.Core(_folder.FullName), secrets));
    }

    [Fact]
    public void A_limit_on_locked_memory_is_an_error_and_not_silence()
    {
        var answer = Peer.Require("bash").Run("-c", $"ulimit -l 0; exec {UserProcess.Shell(UserProcess.AsUnprivileged())} {UserProcess.Shell(Program(KeyKind.P384, isProtected: true))} </dev/null");

        Assert.NotEqual(0, answer.ExitCode);
        Assert.Contains("sealing.memory.not-locked: mlock of memory for a secret", answer.Output, StringComparison.Ordinal);
        Assert.Contains("LimitMEMLOCK", answer.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Unlocked_memory_has_to_be_asked_for_by_its_name_and_says_so()
    {
        using var locked = SecretMemory.Locked.Random(32);
        Assert.True(locked.IsLocked);
        Assert.False(SecretMemory.Locked.DangerouslyAllowUnlockedMemory);
        using var allowed = new SecretMemory { DangerouslyAllowUnlockedMemory = true }.Random(32);
        Assert.True(allowed.IsLocked);
    }

    [Fact]
    public void A_secret_is_wiped_after_an_exception_too_and_not_before_its_use_ends()
    {
        var secret = TestKeys.Secret("00112233445566778899aabbccddeeff"u8);
        Assert.Throws<InvalidOperationException>(() => secret.Use(_ => throw new InvalidOperationException()));
        secret.Use(lease =>
        {
            secret.Dispose();
            Assert.Equal((byte)'0', lease.Bytes[0]);
        });

        Assert.Throws<ObjectDisposedException>(() => secret.Use(_ => { }));
        var source = new byte[] { 1, 2, 3 };
        using var taken = SecretMemory.Locked.Take(source);
        Assert.Equal(new byte[3], source);
    }

    [Fact]
    public void Secrets_are_excluded_from_dumps_locked_and_between_guard_pages()
    {
        using var secret = SecretMemory.Locked.Random(5000);
        using var lent = secret.Borrow();
        ulong address;
        unsafe
        {
            address = (ulong)lent.Pointer;
        }

        // VmFlags of proc(5): lo locked, dd not dumped, wf wiped in a forked child.
        var lines = File.ReadAllLines("/proc/self/smaps");
        var at = Array.FindIndex(lines, line => Area(line) is var (start, end) && address >= start && address < end);
        var flags = lines.Skip(at).First(line => line.StartsWith("VmFlags:", StringComparison.Ordinal)).Split(' ');
        Assert.All(["lo", "dd", "wf"], flag => Assert.Contains(flag, flags));
        var areas = lines.Where(line => Area(line) is not null).ToArray();
        var own = Array.FindIndex(areas, line => Area(line) is var (start, end) && address >= start && address < end);
        Assert.Contains("---p", areas[own - 1], StringComparison.Ordinal);
        Assert.Contains("---p", areas[own + 1], StringComparison.Ordinal);
    }

    private static (ulong Start, ulong End)? Area(string line) => ProcessMemory.AreaOf(line) is { } area ? (area.Start, area.End) : null;

    private string[] Program(KeyKind kind, bool isProtected) =>
        [Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet", Path.Combine(AppContext.BaseDirectory, "secret-holder.dll"), $"{kind}", isProtected ? "protected" : "open", FileOf(kind, isProtected)];

    private string FileOf(KeyKind kind, bool isProtected) => Path.Combine(_folder.FullName, $"{kind}-{isProtected}.sealed");

    private SecretHolder Start(KeyKind kind, bool isProtected)
    {
        File.SetUnixFileMode(_folder.FullName, (UnixFileMode)0b111_111_111);
        var holder = new SecretHolder(_folder.FullName, Program(kind, isProtected));
        var file = FileOf(kind, isProtected);
        Assert.True(SealingPublicKey.TryParse(Encoding.ASCII.GetBytes(holder.Public), out var key, out _));
        using (var target = File.Create(file))
        {
            Assert.Null(SealedFile.Seal([key], "held", _content.Length, new MemoryStream(_content), target, cancellation: TestContext.Current.CancellationToken));
        }

        File.SetUnixFileMode(file, (UnixFileMode)0b110_100_100);
        holder.Hold();
        return holder;
    }

    private static bool IsReadBySameUser(SecretHolder holder) => holder.Process.IsReadBySameUser(holder.Held[0].Address, holder.Held[0].Length);
}

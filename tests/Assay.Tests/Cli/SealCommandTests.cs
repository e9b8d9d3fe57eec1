using System.Text.Json;
using Assay.Sealing.Keys;
using Assay.Sealing.Packs;
using Assay.Tests.Sealing;

namespace Assay.Tests.Cli;

/// <summary><c>assay seal</c> as a user runs it, and the sealed file as a machine opens it.</summary>
public sealed class SealCommandTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("assay-seal-");
    private readonly AssayCommand _assay = new();

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void A_file_is_sealed_to_several_keys_and_opens_with_each()
    {
        using var vm = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        using var owner = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.Rsa3072);
        var (model, content) = (PathOf("model"), System.Security.Cryptography.RandomNumberGenerator.GetBytes(100_000));
        File.WriteAllBytes(model, content);
        File.WriteAllText(PathOf("vm.jwk"), vm.PublicKey.Jwk);
        File.WriteAllText(PathOf("owner.pem"), owner.PublicKey.ToPem());

        using var json = JsonDocument.Parse(_assay.Says(0, "seal", model, "--to", PathOf("vm.jwk"), PathOf("owner.pem"), "--id", "models/m@1", "--format", "json"));
        Assert.Equal(model + ".sealed", json.RootElement.GetProperty("file").GetString());
        Assert.Equal(content.Length, json.RootElement.GetProperty("size").GetInt64());
        Assert.Equal([vm.PublicKey.Thumbprint, owner.PublicKey.Thumbprint], json.RootElement.GetProperty("recipients").EnumerateArray().Select(key => key.GetProperty("thumbprint").GetString()));
        foreach (var pair in (SealingKeyPair[])[vm, owner])
        {
            using var file = File.OpenRead(model + ".sealed");
            Assert.True(SealedFile.TryOpen(file, pair, "models/m@1", out var reader, out var fault), fault?.ToString());
            using (reader)
            {
                using var opened = new MemoryStream();
                Assert.True(reader.TryCopyTo(opened, out fault, cancellation: TestContext.Current.CancellationToken), fault?.ToString());
                Assert.Equal(content, opened.ToArray());
            }
        }

        // Never in place of a file, and nothing half written is left.
        Assert.Contains("cli.out", _assay.Says(2, "seal", model, "--to", PathOf("vm.jwk"), "--id", "models/m@1"));
        Assert.Contains($"Opens with P384 {vm.PublicKey.Thumbprint}.", _assay.Says(0, "seal", model, "--to", PathOf("vm.jwk"), "--id", "models/m@1", "--out", PathOf("second")));
        Assert.Equal(["model", "model.sealed", "owner.pem", "second", "vm.jwk"], _folder.EnumerateFiles().Select(file => file.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void What_cannot_be_sealed_is_told_with_its_cause()
    {
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        File.WriteAllText(PathOf("model"), "x");
        File.WriteAllText(PathOf("vm.jwk"), pair.PublicKey.Jwk);
        File.WriteAllText(PathOf("private.pem"), TestKeys.Export(pair).Pem);

        Assert.Contains("cli.seal: ", Says("model", "private.pem", "x"));
        Assert.Contains("a private key: it belongs nowhere", Says("model", "private.pem", "x"));
        Assert.Contains("cli.seal: --id", Says("model", "vm.jwk", "a b"));
        Assert.Contains("cli.file", Says("nothing", "vm.jwk", "x"));
        Assert.Contains("cli.file", Says("model", "nothing", "x"));
        Assert.Contains("this key is given twice", _assay.Says(2, "seal", PathOf("model"), "--to", PathOf("vm.jwk"), PathOf("vm.jwk"), "--id", "x"));
        Assert.Contains("cli.out", _assay.Says(2, "seal", PathOf("model"), "--to", PathOf("vm.jwk"), "--id", "x", "--out", PathOf("no/folder")));
        Assert.Equal(3, _folder.EnumerateFiles().Count());

        string Says(string file, string key, string id) => _assay.Says(2, "seal", PathOf(file), "--to", PathOf(key), "--id", id);
    }

    [Fact]
    public void Where_memory_cannot_be_locked_the_weakening_has_a_name()
    {
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        File.WriteAllText(PathOf("model"), "x");
        File.WriteAllText(PathOf("vm.jwk"), pair.PublicKey.Jwk);
        string[] user = Environment.IsPrivilegedProcess ? ["setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"] : ["env"];
        PeerAnswer Run(params IEnumerable<string> more) =>
            Peer.Require("bash").Run("-c", "ulimit -l 0; exec " + string.Join(' ', ((string[])[.. user, .. AssayProgram.Words("assay"), "seal", PathOf("model"), "--to", PathOf("vm.jwk"), "--id", "x", .. more]).Select(word => $"'{word}'")));

        var refused = Run();
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("sealing.memory.not-locked", refused.Output, StringComparison.Ordinal);
        Assert.Contains("--dangerously-allow-unlocked-memory", refused.Output, StringComparison.Ordinal);
        Assert.Equal(0, Run("--dangerously-allow-unlocked-memory").ExitCode);
    }

    private string PathOf(string name) => Path.Combine(_folder.FullName, name);
}

using System.Runtime.InteropServices;
using Assay.Service.Keys;
using Assay.Service.Keys.Pkcs11;
using Net.Pkcs11Interop.Common;
using Net.Pkcs11Interop.HighLevelAPI;

namespace Assay.Tests.Service;

/// <summary>
/// A token of SoftHSM with a key. PKCS#11 is initialized once in a process, so all tests share one configuration and one folder; each has a token of its own,
/// and they run one after the other.
/// </summary>
internal sealed partial class SoftHsm : IDisposable
{
    public const string Collection = "SoftHSM";

    private const string SecurityOfficerPin = "87654321";

    private static readonly Lock s_gate = new();
    private static readonly Dictionary<string, string> s_names = new(StringComparer.Ordinal);
    private static string? s_folder;

    private readonly string _folder = Directory.CreateTempSubdirectory("assay-token-").FullName;
    private readonly string _serial;

    private bool _wasAway;

    private SoftHsm(string label, string serial) => (Label, _serial) = (label, serial);

    public const string Pin = "2580-correct";

    public string Label { get; }

    public string PinFile => Path.Combine(_folder, "pin");

    public string Module { get; private init; } = "";

    public Pkcs11Terms Terms => new() { Module = Module, Token = Label, Key = "kek", Pin = PinFile };

    public ISlot Slot => Pkcs11Module.Of(Module).Use(library => library.GetSlotList(SlotsType.WithTokenPresent).Single(slot => InfoOf(slot)?.Label.TrimEnd() == Label));

    private string Place => Directory.EnumerateDirectories(Path.Combine(s_folder!, "tokens")).Single(folder => Path.GetFileName(folder).Replace("-", "", StringComparison.Ordinal).EndsWith(_serial, StringComparison.Ordinal));

    private string Away => Path.Combine(s_folder!, "away", _serial);

    /// <summary>A new token with a PIN, and with a key where that is asked for.</summary>
    public static async Task<SoftHsm> StartAsync(bool withKey = true)
    {
        Peer.Require("softhsm2-util");
        var module = Directory.EnumerateFiles("/usr/lib", "libsofthsm2.so", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true }).First();
        var made = Make(module);
        await File.WriteAllTextAsync(made.PinFile, Pin + "\n");
        File.SetUnixFileMode(made.PinFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        if (withKey)
        {
            await made.Terms.CreateKeyAsync(TestContext.Current.CancellationToken);
        }

        return made;
    }

    /// <summary>Ends every session that this process has with the token, as a restart of the token does.</summary>
    public void EndSessions() => Slot.CloseAllSessions();

    /// <summary>Takes the token away: what it holds cannot be read. SoftHSM answers again only after it was started anew.</summary>
    public void Unplug()
    {
        _wasAway = true;
        Directory.CreateDirectory(Path.GetDirectoryName(Away)!);
        Directory.Move(Place, Away);
    }

    public void Plug() => Directory.Move(Away, Path.Combine(s_folder!, "tokens", s_names[_serial]));

    /// <summary>Loads the module anew, as another process does.</summary>
    public async Task RestartAsync()
    {
        var attempts = 0;
        while (!Pkcs11Module.Of(Module).TryRestart())
        {
            Assert.InRange(++attempts, 1, 600);
            await Task.Delay(100);
        }
    }

    public void Dispose()
    {
        Directory.Delete(_folder, recursive: true);
        for (var attempt = 0; _wasAway && attempt < 100 && !Pkcs11Module.Of(Module).TryRestart(); attempt++)
        {
            Thread.Sleep(100);
        }
    }

    private static SoftHsm Make(string module)
    {
        lock (s_gate)
        {
            if (s_folder is null)
            {
                var folder = Directory.CreateTempSubdirectory("assay-softhsm-").FullName;
                Directory.CreateDirectory(Path.Combine(folder, "tokens"));
                File.WriteAllText(Path.Combine(folder, "softhsm2.conf"), $"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n");
                // The module reads the environment of the process itself, which .NET does not change; the programs that tests start get that of .NET.
                _ = SetVariable("SOFTHSM2_CONF", Path.Combine(folder, "softhsm2.conf"), 1);
                Environment.SetEnvironmentVariable("SOFTHSM2_CONF", Path.Combine(folder, "softhsm2.conf"));
                AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
                s_folder = folder;
            }

            var label = $"assay-{s_names.Count}-{Environment.ProcessId}";
            var serial = Pkcs11Module.Of(module).Use(library =>
            {
                library.GetSlotList(SlotsType.WithTokenPresent).First(slot => InfoOf(slot) is { TokenFlags.TokenInitialized: false }).InitToken(SecurityOfficerPin, label);
                var slot = library.GetSlotList(SlotsType.WithTokenPresent).Single(slot => InfoOf(slot)?.Label.TrimEnd() == label);
                using var session = slot.OpenSession(SessionType.ReadWrite);
                session.Login(CKU.CKU_SO, SecurityOfficerPin);
                session.InitPin(Pin);
                session.Logout();
                return slot.GetTokenInfo().SerialNumber.Trim();
            });
            var made = new SoftHsm(label, serial) { Module = module };
            s_names[made._serial] = Path.GetFileName(made.Place);
            return made;
        }
    }

    // A token that was away answers nothing until the module is started anew.
    private static ITokenInfo? InfoOf(ISlot slot)
    {
        try
        {
            return slot.GetTokenInfo();
        }
        catch (Pkcs11Exception)
        {
            return null;
        }
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int overwrite);
}

using System.Reflection;
using System.Runtime.InteropServices;
using Net.Pkcs11Interop.Common;
using Net.Pkcs11Interop.HighLevelAPI;

namespace Assay.Service.Keys.Pkcs11;

/// <summary>
/// A module. PKCS#11 (2.40, section 5.4) has one C_Initialize for a process, and its C_Finalize ends every session of it, so that all who use a module share
/// it. It stays loaded while the process runs, but where it is started anew: some modules never answer again after their token was away.
/// </summary>
internal sealed class Pkcs11Module
{
    // Between two new starts, each of which ends the sessions of all.
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan s_wait = TimeSpan.FromSeconds(1);

    private static readonly Lock s_gate = new();
    private static readonly Dictionary<string, Pkcs11Module> s_modules = new(StringComparer.Ordinal);

    private readonly string _path;
    private readonly object _state = new();
    private IPkcs11Library? _library;
    private int _users;
    private long _restartedAt = -(long)s_pause.TotalMilliseconds;

    // The interop library asks for libdl, whose functions are in libc since glibc 2.34: distributions have it as libdl.so.2 alone.
    static Pkcs11Module() => NativeLibrary.SetDllImportResolver(typeof(Pkcs11InteropFactories).Assembly, Resolve);

    private Pkcs11Module(string path) => _path = path;

    public static Pkcs11InteropFactories Factories { get; } = new();

    public static Pkcs11Module Of(string path)
    {
        lock (s_gate)
        {
            return s_modules.TryGetValue(path, out var module) ? module : s_modules[path] = new Pkcs11Module(path);
        }
    }

    /// <summary>Uses the module, which is not started anew meanwhile. Sessions that are opened end with the next start.</summary>
    /// <exception cref="ServiceException">It cannot be loaded, or does not start.</exception>
    public T Use<T>(Func<IPkcs11Library, T> use)
    {
        IPkcs11Library library;
        lock (_state)
        {
            library = _library ??= Load();
            _users++;
        }

        try
        {
            return use(library);
        }
        finally
        {
            lock (_state)
            {
                _users--;
                Monitor.PulseAll(_state);
            }
        }
    }

    /// <summary>Starts it anew; false where one of its functions has not answered yet, or it was done just before.</summary>
    public bool TryRestart()
    {
        lock (_state)
        {
            var begun = Environment.TickCount64;
            while (_users > 0 && Environment.TickCount64 - begun < s_wait.TotalMilliseconds)
            {
                Monitor.Wait(_state, s_wait);
            }

            if (_users > 0 || Environment.TickCount64 - _restartedAt < s_pause.TotalMilliseconds)
            {
                return false;
            }

            _restartedAt = Environment.TickCount64;
            try
            {
                _library?.Dispose();
            }
            catch (Pkcs11Exception)
            {
                // It had ended by itself.
            }

            _library = null;
            _library = Load();
            return true;
        }
    }

    private IPkcs11Library Load()
    {
        try
        {
            return Factories.Pkcs11LibraryFactory.LoadPkcs11Library(Factories, _path, AppType.MultiThreaded);
        }
        catch (Pkcs11Exception exception)
        {
            throw new ServiceException("service.kek.token", $"kek.pkcs11.module {_path}: it does not start: {exception.RV}. See the configuration of the module itself, for SoftHSM the file that SOFTHSM2_CONF names", exception);
        }
        catch (Exception exception) when (exception is LibraryArchitectureException or UnmanagedException or DllNotFoundException)
        {
            throw new ServiceException("service.kek.token", $"kek.pkcs11.module {_path}: it cannot be loaded: {exception.Message}", exception);
        }
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path) => name == "libdl" && NativeLibrary.TryLoad("libdl.so.2", out var library) ? library : 0;
}

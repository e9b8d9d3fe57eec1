using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Guest.Sources;

/// <summary>
/// NVSwitches through NSCQ, <c>libnvidia-nscq.so.2</c>: a session is asked for paths, and answers by callbacks to which structures are passed by value.
/// <code>
/// session_create(u32) → {i8 rc, session}      path_observe(session, path, callback, user, 0) → i8
/// callback(uuid*, i8 rc, VALUE, user)         VALUE: uuid* | i8 | {u8 chain[0x1400], u32 size} | {u32 size, u8 report[0x2000]}
/// </code>
/// Negative codes are errors, positive ones warnings. Built from the specification and held against a C shim by tests; never seen on hardware.
/// </summary>
internal sealed unsafe class Nscq : ISwitchSource, IDisposable
{
    private const string Id = "source.nscq";
    private const uint MountDevices = 1;
    private const int LargestChain = 0x1400;
    private const int LargestReport = 0x2000;
    private const int LabelSize = 64;
    private const int MostSwitches = 64;
    private const int UnsupportedDriver = -6;

    // What NSCQ calls. They live as long as the process.
    private static readonly UuidCallback s_onUuid = OnUuid;
    private static readonly ModeCallback s_onMode = OnMode;
    private static readonly CertificateCallback s_onCertificate = OnCertificate;
    private static readonly ReportCallback s_onReport = OnReport;
    private static readonly nint s_uuid = Marshal.GetFunctionPointerForDelegate(s_onUuid);
    private static readonly nint s_mode = Marshal.GetFunctionPointerForDelegate(s_onMode);
    private static readonly nint s_certificate = Marshal.GetFunctionPointerForDelegate(s_onCertificate);
    private static readonly nint s_report = Marshal.GetFunctionPointerForDelegate(s_onReport);

    private readonly NativeLibraryFile _library;
    private readonly nint _session;
    private readonly Lock _lock = new();

    private Nscq(NativeLibraryFile library, nint session) => (_library, _session) = (library, session);

    /// <summary>Loads it, and opens a session with every switch.</summary>
    public static Nscq Open(string[]? folders = null)
    {
        var library = NativeLibraryFile.Open("libnvidia-nscq.so.2", Id, "libnvidia-nscq of the driver's version", folders);
        try
        {
            var made = ((delegate* unmanaged[Cdecl]<uint, SessionResult>)library.Function("nscq_session_create"))(MountDevices);
            Require("nscq_session_create", made.Code);
            return new Nscq(library, made.Session);
        }
        catch
        {
            library.Dispose();
            throw;
        }
    }

    public ImmutableArray<int> Modes()
    {
        lock (_lock)
        {
            return [.. Labels().Select(label =>
            {
                var mode = new Answer<int>();
                Observe($"/{label}/config/pcie_mode", s_mode, mode);
                return mode.Values is [var one] ? one : throw Silent(label, "pcie_mode");
            })];
        }
    }

    public ImmutableArray<DeviceEvidence> Collect(Nonce nonce)
    {
        ArgumentNullException.ThrowIfNull(nonce);
        lock (_lock)
        {
            var bytes = nonce.Bytes.ToArray();
            fixed (byte* input = bytes)
            {
                Require("nscq_session_set_input", ((delegate* unmanaged[Cdecl]<nint, uint, void*, uint, sbyte>)_library.Function("nscq_session_set_input"))(_session, 0, input, Nonce.Size));
            }

            return [.. Labels().Select(Collect)];
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            ((delegate* unmanaged[Cdecl]<nint, void>)_library.Function("nscq_session_destroy"))(_session);
            _library.Dispose();
        }
    }

    private DeviceEvidence Collect(string label, int index)
    {
        var (chain, report) = (new Answer<byte[]>(), new Answer<byte[]>());
        Observe($"/{label}/config/certificate", s_certificate, chain);
        Observe($"/{label}/config/attestation_report", s_report, report);
        return new DeviceEvidence
        {
            Source = string.Create(CultureInfo.InvariantCulture, $"switch {index}"),
            Chain = chain.Values is [{ Length: > 0 } pem] ? pem : throw Silent(label, "certificate"),
            Report = report.Values is [{ Length: > 0 } bytes] ? bytes : throw Silent(label, "attestation_report"),
            DeclaredKind = DeviceKind.Switch,
        };
    }

    private List<string> Labels()
    {
        var uuids = new Answer<Uuid>();
        Observe("/drv/nvswitch/{device}/uuid", s_uuid, uuids);
        var labels = new List<string>();
        var text = stackalloc byte[LabelSize];
        foreach (var uuid in uuids.Values)
        {
            var own = uuid;
            Require("nscq_uuid_to_label", ((delegate* unmanaged[Cdecl]<Uuid*, byte*, uint, sbyte>)_library.Function("nscq_uuid_to_label"))(&own, text, 0));
            var label = new ReadOnlySpan<byte>(text, LabelSize);
            labels.Add(Encoding.ASCII.GetString(label[..(label.IndexOf((byte)0) is >= 0 and var end ? end : LabelSize)]));
        }

        return labels.Count <= MostSwitches ? labels : throw new GuestException($"{Id}.failed", "NSCQ lists more switches than a machine has", "update the driver");
    }

    // Not generic: a call through a function pointer needs code of its own.
    private void Observe(string path, nint callback, Answer answer)
    {
        var user = GCHandle.Alloc(answer);
        try
        {
            fixed (byte* name = Encoding.ASCII.GetBytes(path + '\0'))
            {
                Require($"nscq_session_path_observe {path}", ((delegate* unmanaged[Cdecl]<nint, byte*, nint, nint, uint, sbyte>)_library.Function("nscq_session_path_observe"))(_session, name, callback, GCHandle.ToIntPtr(user), 0));
            }
        }
        finally
        {
            user.Free();
        }

        Require(path, answer.Code);
    }

    private static void Require(string what, sbyte code)
    {
        if (code < 0)
        {
            throw code == UnsupportedDriver
                ? new GuestException($"{Id}.too-old", $"{what}: the driver is of another version than NSCQ", "put both of one version into the image")
                : new GuestException($"{Id}.failed", string.Create(CultureInfo.InvariantCulture, $"{what}: {code}"), "see the kernel's messages about nvswitch, and that nvidia-fabricmanager runs");
        }
    }

    private static GuestException Silent(string label, string what) => new($"{Id}.failed", $"switch {label} gave no {what}, or several", "see that the switch can do confidential computing, and update the driver");

    private static void OnUuid(Uuid* device, sbyte code, Uuid* value, nint user) => Take<Uuid>(user, code, value is null ? default : *value);

    private static void OnMode(Uuid* device, sbyte code, sbyte value, nint user) => Take<int>(user, code, value);

    private static void OnCertificate(Uuid* device, sbyte code, Certificate value, nint user)
    {
        var bytes = (byte*)&value;
        var size = *(uint*)(bytes + LargestChain);
        Take(user, code, size <= LargestChain ? new ReadOnlySpan<byte>(bytes, (int)size).TrimEnd((byte)0).ToArray() : []);
    }

    private static void OnReport(Uuid* device, sbyte code, Report value, nint user)
    {
        var (bytes, size) = ((nint)(&value) + sizeof(uint), value.Size);
        Take(user, code, size <= LargestReport ? new ReadOnlySpan<byte>((void*)bytes, (int)size).ToArray() : []);
    }

    // Nothing may be thrown into foreign code.
    private static void Take<T>(nint user, sbyte code, T value)
    {
        if (GCHandle.FromIntPtr(user).Target is Answer<T> answer)
        {
            answer.Code = answer.Code < 0 ? answer.Code : code;
            answer.Values.Add(value);
        }
    }

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate void UuidCallback(Uuid* device, sbyte code, Uuid* value, nint user);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate void ModeCallback(Uuid* device, sbyte code, sbyte value, nint user);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate void CertificateCallback(Uuid* device, sbyte code, Certificate value, nint user);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate void ReportCallback(Uuid* device, sbyte code, Report value, nint user);

    private abstract class Answer
    {
        public sbyte Code { get; set; }
    }

    private sealed class Answer<T> : Answer
    {
        public List<T> Values { get; } = [];
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct SessionResult
    {
        public sbyte Code;
        public nint Session;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Uuid
    {
        public fixed byte Bytes[16];
    }

    // Without fixed buffers: code that takes one by value gets checks of its stack, which have no place before a call from foreign code has arrived.
    [StructLayout(LayoutKind.Sequential, Size = LargestChain + sizeof(uint))]
    private struct Certificate
    {
        public uint First;
    }

    [StructLayout(LayoutKind.Sequential, Size = sizeof(uint) + LargestReport)]
    private struct Report
    {
        public uint Size;
    }
}

using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Guest.Sources;

/// <summary>
/// GPUs through NVML, <c>libnvidia-ml.so.1</c> (NVML API reference, "Confidential Computing"). Little-endian, C default alignment:
/// <code>
/// SystemState    u32 environment, ccFeature, devToolsMode
/// Settings v1    u32 version (0x01000014), environment, ccFeature, devToolsMode, multiGpuMode
/// Certificate    u32 certChainSize, attestationCertChainSize; u8 certChain[0x1000], attestationCertChain[0x1400]
/// Report         u32 isCecPresent, attestationReportSize, cecReportSize; u8 nonce[32] (in), report[0x2000], cecReport[0x1000]
/// </code>
/// Built from the specification and held against a C shim by tests; never seen on hardware.
/// </summary>
internal sealed unsafe class Nvml : IGpuSource, IDisposable
{
    private const string Id = "source.nvml";
    private const int Success = 0;
    private const int NoPermission = 4;
    private const int DriverNotLoaded = 9;
    private const int NotSupported = 3;
    private const int FunctionNotFound = 13;
    private const int MostDevices = 64;
    private const uint SettingsVersion = 0x01000014;
    private const int SettingsWords = 5;
    private const int ProtectedPcieMode = 1;
    private const int CertificateChainOffset = 8 + 0x1000;
    private const int LargestChain = 0x1400;
    private const int CertificateSize = CertificateChainOffset + LargestChain;
    private const int NonceOffset = 12;
    private const int ReportOffset = NonceOffset + 32;
    private const int LargestReport = 0x2000;
    private const int ReportSize = ReportOffset + LargestReport + 0x1000;
    private const int VersionSize = 80;

    private readonly NativeLibraryFile _library;
    private readonly Lock _lock = new();

    private Nvml(NativeLibraryFile library) => _library = library;

    /// <summary>Loads and initializes it.</summary>
    public static Nvml Open(string[]? folders = null)
    {
        var self = new Nvml(NativeLibraryFile.Open("libnvidia-ml.so.1", Id, "NVIDIA's driver", folders));
        try
        {
            self.Require("nvmlInit_v2", ((delegate* unmanaged[Cdecl]<int>)self._library.Function("nvmlInit_v2"))());
            return self;
        }
        catch
        {
            self._library.Dispose();
            throw;
        }
    }

    public GpuSystem Read()
    {
        lock (_lock)
        {
            var settings = stackalloc uint[SettingsWords];
            settings[0] = SettingsVersion;
            Require("nvmlSystemGetConfComputeSettings", ((delegate* unmanaged[Cdecl]<uint*, int>)_library.Function("nvmlSystemGetConfComputeSettings"))(settings));
            return new GpuSystem((int)Count(), settings[2] == 1, settings[3] != 0, settings[4] == ProtectedPcieMode, Driver());
        }
    }

    public ImmutableArray<DeviceEvidence> Collect(Nonce nonce)
    {
        ArgumentNullException.ThrowIfNull(nonce);
        lock (_lock)
        {
            var count = Count();
            var all = ImmutableArray.CreateBuilder<DeviceEvidence>((int)count);
            for (var index = 0u; index < count; index++)
            {
                all.Add(Collect(index, nonce));
            }

            return all.MoveToImmutable();
        }
    }

    public bool IsReady()
    {
        uint ready = 0;
        lock (_lock)
        {
            Require("nvmlSystemGetConfComputeGpusReadyState", ((delegate* unmanaged[Cdecl]<uint*, int>)_library.Function("nvmlSystemGetConfComputeGpusReadyState"))(&ready));
        }

        return ready == 1;
    }

    public void SetReady(bool ready)
    {
        lock (_lock)
        {
            Require("nvmlSystemSetConfComputeGpusReadyState", ((delegate* unmanaged[Cdecl]<uint, int>)_library.Function("nvmlSystemSetConfComputeGpusReadyState"))(ready ? 1u : 0u));
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _ = ((delegate* unmanaged[Cdecl]<int>)_library.Function("nvmlShutdown"))();
            _library.Dispose();
        }
    }

    private uint Count()
    {
        uint count = 0;
        Require("nvmlDeviceGetCount_v2", ((delegate* unmanaged[Cdecl]<uint*, int>)_library.Function("nvmlDeviceGetCount_v2"))(&count));
        return count <= MostDevices ? count : throw new GuestException($"{Id}.failed", "NVML lists more devices than a machine has", "update the driver", count.ToString(CultureInfo.InvariantCulture), $"at most {MostDevices}");
    }

    private string Driver()
    {
        var text = stackalloc byte[VersionSize];
        Require("nvmlSystemGetDriverVersion", ((delegate* unmanaged[Cdecl]<byte*, uint, int>)_library.Function("nvmlSystemGetDriverVersion"))(text, VersionSize));
        var bytes = new ReadOnlySpan<byte>(text, VersionSize);
        return Encoding.ASCII.GetString(bytes[..Math.Max(0, bytes.IndexOf((byte)0))]);
    }

    private DeviceEvidence Collect(uint index, Nonce nonce)
    {
        nint device = 0;
        Require("nvmlDeviceGetHandleByIndex_v2", ((delegate* unmanaged[Cdecl]<uint, nint*, int>)_library.Function("nvmlDeviceGetHandleByIndex_v2"))(index, &device), index);
        var (certificate, report) = (new byte[CertificateSize], new byte[ReportSize]);
        nonce.Bytes.CopyTo(report.AsSpan(NonceOffset));
        fixed (byte* into = certificate)
        {
            Require("nvmlDeviceGetConfComputeGpuCertificate", ((delegate* unmanaged[Cdecl]<nint, byte*, int>)_library.Function("nvmlDeviceGetConfComputeGpuCertificate"))(device, into), index);
        }

        fixed (byte* into = report)
        {
            Require("nvmlDeviceGetConfComputeGpuAttestationReport", ((delegate* unmanaged[Cdecl]<nint, byte*, int>)_library.Function("nvmlDeviceGetConfComputeGpuAttestationReport"))(device, into), index);
        }

        var chain = Sized(certificate, sizeOffset: 4, CertificateChainOffset, LargestChain, index);
        return new DeviceEvidence
        {
            Source = string.Create(CultureInfo.InvariantCulture, $"GPU {index}"),
            Report = Sized(report, sizeOffset: 4, ReportOffset, LargestReport, index),
            // A C string: what follows the last certificate is no part of it.
            Chain = chain.AsMemory(0, chain.AsSpan().IndexOf((byte)0) is >= 0 and var end ? end : chain.Length),
            DeclaredKind = DeviceKind.Gpu,
        };
    }

    private static byte[] Sized(byte[] structure, int sizeOffset, int offset, int most, uint index)
    {
        var size = BinaryPrimitives.ReadUInt32LittleEndian(structure.AsSpan(sizeOffset));
        return size is > 0 && size <= most ? structure[offset..(offset + (int)size)]
            : throw new GuestException($"{Id}.failed", string.Create(CultureInfo.InvariantCulture, $"GPU {index} states {size} bytes where 1 to {most} are possible"), "update the driver");
    }

    private void Require(string function, int code, uint? device = null)
    {
        if (code == Success)
        {
            return;
        }

        var whose = device is null ? "" : string.Create(CultureInfo.InvariantCulture, $"GPU {device}: ");
        throw code switch
        {
            NoPermission => new GuestException($"{Id}.denied", $"{whose}{function}: no permission", "run as root: the ready state is the administrator's"),
            DriverNotLoaded => new GuestException($"{Id}.no-driver", $"{whose}{function}: the kernel module nvidia is not loaded", "load it before the gate (nvidia-persistenced.service)"),
            NotSupported or FunctionNotFound => new GuestException($"{Id}.too-old", $"{whose}{function}: not supported by this driver or GPU", "put a newer driver into the image, and see that the GPU can do confidential computing"),
            _ => new GuestException($"{Id}.failed", $"{whose}{function}: {Explain(code)}", "see the kernel's messages about nvidia"),
        };
    }

    private string Explain(int code)
    {
        var text = ((delegate* unmanaged[Cdecl]<int, byte*>)_library.Function("nvmlErrorString"))(code);
        return string.Create(CultureInfo.InvariantCulture, $"{(text is null ? "unknown" : Marshal.PtrToStringUTF8((nint)text))} ({code})");
    }
}

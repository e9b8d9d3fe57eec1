using System.Text;
using Assay.Evidence.Files;
using Assay.Guest;
using Assay.Guest.Sources;
using Assay.Wire;

namespace Assay.Tests.Guest;

/// <summary>NVML and NSCQ against shims in C, compiled here: structures, sizes, callbacks that take their structures by value, and clear errors (S-29).</summary>
public sealed class ShimTests
{
    private const string NvmlShim = """
        #include <string.h>
        #include <stdio.h>
        typedef struct { unsigned version, environment, ccFeature, devToolsMode, multiGpuMode; } Settings;
        typedef struct { unsigned certChainSize, attestationCertChainSize; unsigned char certChain[0x1000]; unsigned char attestationCertChain[0x1400]; } Certificate;
        typedef struct { unsigned isCecAttestationReportPresent, attestationReportSize, cecAttestationReportSize; unsigned char nonce[0x20]; unsigned char attestationReport[0x2000]; unsigned char cecAttestationReport[0x1000]; } Report;
        static unsigned ready;
        int nvmlInit_v2(void) { return INIT; }
        int nvmlShutdown(void) { return 0; }
        const char *nvmlErrorString(int code) { return "GPU is lost"; }
        int nvmlSystemGetDriverVersion(char *text, unsigned size) { if (size < 80) return 7; strcpy(text, "580.95.05"); return 0; }
        int nvmlSystemGetConfComputeSettings(Settings *s) { if (s->version != (sizeof(Settings) | 1u << 24)) return 2; s->ccFeature = 1; s->devToolsMode = 0; s->multiGpuMode = 1; return 0; }
        int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
        int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { *device = (void *)(unsigned long)(index + 1); return 0; }
        int nvmlDeviceGetConfComputeGpuCertificate(void *device, Certificate *c) {
            memset(c->certChain, 'x', sizeof c->certChain);
            c->certChainSize = 100;
            c->attestationCertChainSize = sprintf((char *)c->attestationCertChain, "chain %lu", (unsigned long)device) + 1;
            return 0;
        }
        #ifndef OLD
        int nvmlDeviceGetConfComputeGpuAttestationReport(void *device, Report *r) {
            if (LOST && device == (void *)2) return 15;
            memcpy(r->attestationReport, r->nonce, 0x20);
            r->attestationReport[0x20] = (unsigned char)(unsigned long)device;
            r->attestationReportSize = SIZE;
            return 0;
        }
        #endif
        int nvmlSystemSetConfComputeGpusReadyState(unsigned state) { if (DENIED) return 4; ready = state; return 0; }
        int nvmlSystemGetConfComputeGpusReadyState(unsigned *state) { *state = ready; return 0; }
        """;

    private const string NscqShim = """
        #include <string.h>
        #include <stdio.h>
        typedef signed char rc_t;
        typedef struct { unsigned char bytes[16]; } uuid_t;
        typedef struct { rc_t rc; void *session; } result_t;
        typedef struct { unsigned char chain[0x1400]; unsigned size; } certificate_t;
        typedef struct { unsigned size; unsigned char report[0x2000]; } report_t;
        static unsigned char nonce[32];
        result_t nscq_session_create(unsigned flags) { result_t r = { CREATE, flags == 1 ? nonce : 0 }; return r; }
        void nscq_session_destroy(void *session) { }
        rc_t nscq_session_set_input(void *session, unsigned flags, void *input, unsigned size) { if (session != nonce || size != 32) return -5; memcpy(nonce, input, 32); return 0; }
        rc_t nscq_uuid_to_label(const uuid_t *uuid, char *label, unsigned flags) { sprintf(label, "SWX-%02x", uuid->bytes[15]); return 0; }
        rc_t nscq_session_path_observe(void *session, const char *path, void *callback, void *user, unsigned flags) {
            unsigned number;
            if (strcmp(path, "/drv/nvswitch/{device}/uuid") == 0) {
                for (unsigned i = 1; i <= 2; i++) { uuid_t u = { { 0 } }; u.bytes[15] = i; ((void (*)(const uuid_t *, rc_t, const uuid_t *, void *))callback)(&u, 0, &u, user); }
                return 1;
            }
            if (sscanf(path, "/SWX-%x/config/", &number) != 1) return -5;
            const char *name = strrchr(path, '/');
            if (strcmp(name, "/pcie_mode") == 0) { ((void (*)(const uuid_t *, rc_t, rc_t, void *))callback)(0, 0, number == 1 ? 3 : -1, user); return 0; }
            if (strcmp(name, "/certificate") == 0) {
                certificate_t c; memset(&c, 0, sizeof c); c.size = sprintf((char *)c.chain, "switch chain %u", number) + 1;
                ((void (*)(const uuid_t *, rc_t, certificate_t, void *))callback)(0, 0, c, user); return 0;
            }
            report_t r; memset(&r, 0, sizeof r); r.size = 33; memcpy(r.report, nonce, 32); r.report[32] = number;
            ((void (*)(const uuid_t *, rc_t, report_t, void *))callback)(0, REPORT, r, user); return 0;
        }
        """;

    private static readonly Nonce s_nonce = Nonce.TryCreate([.. Enumerable.Range(1, 32).Select(value => (byte)value)], out var nonce) ? nonce : throw new InvalidOperationException();

    [Fact]
    public void NVML_is_read_by_its_own_layouts()
    {
        using var shim = Shim.Nvml();
        using var nvml = Nvml.Open([shim.Folder]);

        Assert.Equal(new GpuSystem(2, CcFeature: true, DevTools: false, ProtectedPcie: true, "580.95.05"), nvml.Read());
        var evidence = nvml.Collect(s_nonce);
        Assert.Equal(["chain 1", "chain 2"], evidence.Select(item => Encoding.ASCII.GetString(item.Chain.Span)));
        Assert.All(evidence, (item, index) => Assert.Equal([.. s_nonce.Bytes, (byte)(index + 1)], item.Report.ToArray()));
        Assert.All(evidence, item => Assert.Equal(DeviceKind.Gpu, item.DeclaredKind));
        nvml.SetReady(true);
        Assert.True(nvml.IsReady());
    }

    [Theory]
    [InlineData("-DOLD", "source.nvml.too-old")]
    [InlineData("-DLOST=1", "source.nvml.failed")]
    [InlineData("-DDENIED=1", "source.nvml.denied")]
    [InlineData("-DINIT=9", "source.nvml.no-driver")]
    [InlineData("-DSIZE=0x2001", "source.nvml.failed")]
    [InlineData("-DSIZE=0", "source.nvml.failed")]
    public void What_NVML_cannot_do_is_said_by_a_fault_of_its_own(string flag, string expected)
    {
        using var shim = Shim.Nvml(flag);

        var exception = Assert.Throws<GuestException>(() =>
        {
            using var nvml = Nvml.Open([shim.Folder]);
            nvml.SetReady(false);
            nvml.Collect(s_nonce);
        });

        Assert.Equal(expected, exception.Fault.Id);
    }

    [Fact]
    public void A_library_that_is_not_there_is_named_with_the_folders_that_were_looked_in()
    {
        using var shim = Shim.Nvml();

        Assert.Equal("source.nvml.absent", Assert.Throws<GuestException>(() => Nvml.Open([Path.GetTempPath()])).Fault.Id);
        Assert.Equal("source.nscq.absent", Assert.Throws<GuestException>(() => Nscq.Open([shim.Folder])).Fault.Id);
        File.WriteAllText(Path.Combine(shim.Folder, "libnvidia-nscq.so.2"), "no library");
        Assert.Equal("source.nscq.unusable", Assert.Throws<GuestException>(() => Nscq.Open([shim.Folder])).Fault.Id);
    }

    [Fact]
    public void NSCQ_answers_by_callbacks_that_take_structures_by_value()
    {
        using var shim = Shim.Nscq();
        using var nscq = Nscq.Open([shim.Folder]);

        Assert.Equal([3, -1], nscq.Modes());
        var evidence = nscq.Collect(s_nonce);
        Assert.Equal(["switch chain 1", "switch chain 2"], evidence.Select(item => Encoding.ASCII.GetString(item.Chain.Span)));
        Assert.All(evidence, (item, index) => Assert.Equal([.. s_nonce.Bytes, (byte)(index + 1)], item.Report.ToArray()));
        Assert.All(evidence, item => Assert.Equal(DeviceKind.Switch, item.DeclaredKind));
    }

    [Theory]
    [InlineData("-DCREATE=-6", "source.nscq.too-old")]
    [InlineData("-DCREATE=-7", "source.nscq.failed")]
    [InlineData("-DREPORT=-8", "source.nscq.failed")]
    public void An_error_in_a_callback_is_an_error(string flag, string expected)
    {
        using var shim = Shim.Nscq(flag);

        var exception = Assert.Throws<GuestException>(() =>
        {
            using var nscq = Nscq.Open([shim.Folder]);
            nscq.Collect(s_nonce);
        });

        Assert.Equal(expected, exception.Fault.Id);
    }

    // The numbers that the kernel's macros make of the sizes of its structures (linux/sev-guest.h, linux/tdx-guest.h; the second is younger than some systems' headers).
    [Fact]
    public void The_requests_to_the_kernels_devices_have_the_numbers_of_its_headers()
    {
        var folder = Directory.CreateTempSubdirectory("assay-ioctl-").FullName;
        try
        {
            var (source, program) = (Path.Combine(folder, "numbers.c"), Path.Combine(folder, "numbers"));
            File.WriteAllText(source, """
                #include <stdio.h>
                #include <sys/ioctl.h>
                #include <linux/sev-guest.h>
                struct report_request { unsigned char data[64]; unsigned char report[1024]; };
                int main(void) { printf("%lx %lx %zu", (unsigned long)SNP_GET_REPORT, (unsigned long)_IOWR('T', 1, struct report_request), sizeof(struct snp_guest_request_ioctl)); return 0; }
                """);
            var compiled = Peer.Require("gcc").Run(["-O1", "-o", program, source]);
            Assert.True(compiled.Accepted, compiled.Output);
            using var process = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(program) { RedirectStandardOutput = true })!;

            var printed = process.StandardOutput.ReadToEnd();
            process.WaitForExit();

            Assert.Equal($"{TsmReports.SevGuest.GetReport:x} {TdxGuestDevice.GetReport:x} 32", printed);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Without_the_TDX_device_its_absence_is_the_fault() =>
        Assert.Equal("source.tsm.absent", Assert.Throws<GuestException>(() => TdxGuestDevice.Report(new byte[64], "/nonexistent/tdx_guest")).Fault.Id);

    private sealed class Shim : IDisposable
    {
        private Shim(string library, string source, string[] flags)
        {
            var compiler = Peer.Require("gcc");
            var file = Path.Combine(Folder, "shim.c");
            File.WriteAllText(file, source);
            var answer = compiler.Run(["-shared", "-fPIC", "-O1", "-w", .. flags, "-o", Path.Combine(Folder, library), file]);
            Assert.True(answer.Accepted, answer.Output);
        }

        public string Folder { get; } = Directory.CreateTempSubdirectory("assay-shim-").FullName;

        public static Shim Nvml(params string[] flags) => new("libnvidia-ml.so.1", NvmlShim, Defaults(flags, "INIT=0", "LOST=0", "DENIED=0", "SIZE=33"));

        public static Shim Nscq(params string[] flags) => new("libnvidia-nscq.so.2", NscqShim, Defaults(flags, "CREATE=0", "REPORT=0"));

        public void Dispose() => Directory.Delete(Folder, recursive: true);

        private static string[] Defaults(string[] flags, params string[] defaults) =>
            [.. flags, .. defaults.Where(item => !flags.Any(flag => flag.StartsWith($"-D{item.Split('=')[0]}=", StringComparison.Ordinal))).Select(item => $"-D{item}")];
    }
}

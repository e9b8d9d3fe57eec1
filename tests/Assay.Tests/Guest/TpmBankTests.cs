using System.Security.Cryptography;
using Assay.Guest;
using Assay.Guest.Log;
using Assay.Guest.Sources;
using Assay.Policy;
using Assay.Tests.Tpm;
using Assay.Wire;

namespace Assay.Tests.Guest;

/// <summary>TPMs that have one bank of PCRs alone, as tpm2_pcrallocate leaves them after a power cycle.</summary>
public sealed class TpmBankTests
{
    [Fact]
    public void A_TPM_without_SHA_384_is_extended_in_SHA_256_and_its_log_explains_it()
    {
        using var tpm = With("sha256");
        var folder = Directory.CreateTempSubdirectory("assay-bank-").FullName;
        try
        {
            var register = new TpmRegister(new SwtpmTransport(tpm.Port), 13);
            MeasuredLog.Open(register, new GuestPaths(folder), onDstack: false).Append(GateEvents.None);

            Assert.Equal(new Digest(SHA256.HashData([.. new byte[32], .. GateEvents.None.Digest(TcgHash.Sha256).Bytes])), register.Read());
            Assert.Single(MeasuredLog.Open(register, new GuestPaths(folder), onDstack: false).Events);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_TPM_without_SHA_256_is_no_register_and_gives_no_report()
    {
        using var tpm = With("sha384");

        Assert.Equal("source.tpm.failed", Assert.Throws<GuestException>(() => new TpmRegister(new SwtpmTransport(tpm.Port), 13).Read()).Fault.Id);
    }

    private static Swtpm With(string bank)
    {
        var tpm = Swtpm.Start();
        tpm.Run("pcrallocate", string.Join('+', new[] { "sha1", "sha256", "sha384", "sha512" }.Select(name => $"{name}:{(name == bank ? "all" : "none")}")));
        tpm.Reset();
        return tpm;
    }
}

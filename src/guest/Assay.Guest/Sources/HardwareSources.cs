using System.Collections.Immutable;
using Assay.Evidence.Files;
using Assay.Guest.Configuration;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Guest.Sources;

/// <summary>The hardware of this machine, under the compiled-in roots and no others. Libraries are loaded when they are first asked: a guest without a GPU needs none.</summary>
internal sealed class HardwareSources : IGpuSource, ISwitchSource, IDisposable
{
    private readonly Lazy<Nvml> _nvml = new(() => Nvml.Open());
    private readonly Lazy<Nscq> _nscq = new(() => Nscq.Open());

    private HardwareSources()
    {
    }

    public static GuestSources Open(GuestConfiguration configuration)
    {
        var self = new HardwareSources();
        return new GuestSources
        {
            Gpus = self,
            Switches = self,
            Cpu = new TsmReports(),
            Vtpm = new AzureVtpm(new TpmDevice(), new AzureMetadata(), new TsmReports()),
            Register = pcr => pcr is { } index ? new TpmRegister(new TpmDevice(), index) : new RtmrRegister(),
            Tpm = () => new HeldTpmDevice(),
            Bus = new SysfsBus(),
            Trust = TrustSet.BuiltIn,
            Owned = self,
        };
    }

    GpuSystem IGpuSource.Read() => _nvml.Value.Read();

    ImmutableArray<DeviceEvidence> IGpuSource.Collect(Nonce nonce) => _nvml.Value.Collect(nonce);

    public bool IsReady() => _nvml.Value.IsReady();

    public void SetReady(bool ready) => _nvml.Value.SetReady(ready);

    public ImmutableArray<int> Modes() => _nscq.Value.Modes();

    ImmutableArray<DeviceEvidence> ISwitchSource.Collect(Nonce nonce) => _nscq.Value.Collect(nonce);

    public void Dispose()
    {
        if (_nvml.IsValueCreated)
        {
            _nvml.Value.Dispose();
        }

        if (_nscq.IsValueCreated)
        {
            _nscq.Value.Dispose();
        }
    }
}

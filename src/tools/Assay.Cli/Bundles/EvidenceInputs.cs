using System.Collections.Immutable;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Cli.Bundles;

/// <summary>Evidence of any kind as the measure of what a bundle must hold: device files, whole machines, processors.</summary>
internal sealed class EvidenceInputs
{
    private readonly List<ImmutableArray<DeviceEvidence>> _devices = [];
    private readonly List<ProcessorEvidence> _processors = [];

    /// <summary>One entry for each file: a verifier takes no more than a machine at once.</summary>
    public IEnumerable<ImmutableArray<DeviceEvidence>> Devices => _devices;

    public IEnumerable<ProcessorEvidence> Processors => _processors;

    public static EvidenceInputs Read(IEnumerable<string> files, Action<string, string> refuse)
    {
        var inputs = new EvidenceInputs();
        foreach (var file in files)
        {
            if (InputFile.TryRead(file, Limits.EvidenceFileBytes, out var bytes, out var whyNot))
            {
                inputs.Take(bytes, InputFile.NameOf(file), refuse);
            }
            else
            {
                refuse("cli.file", whyNot);
            }
        }

        return inputs;
    }

    /// <summary>The hashes of CertIDs by their names.</summary>
    public static ImmutableArray<OcspHash> Hashes(IEnumerable<string> names) => [.. names.Select(name => Enum.Parse<OcspHash>(name, ignoreCase: true)).Distinct()];

    /// <summary>Keys of items, one a line as <c>kind id</c>; lines that begin with # are passed over.</summary>
    public static ImmutableArray<CollateralKey> ReadIds(string? file, Action<string, string> refuse)
    {
        var keys = ImmutableArray.CreateBuilder<CollateralKey>();
        if (file is null)
        {
            return [];
        }

        if (!InputFile.TryRead(file, Limits.EvidenceFileBytes, out var bytes, out var whyNot))
        {
            refuse("cli.file", whyNot);
            return [];
        }

        foreach (var (number, line) in System.Text.Encoding.UTF8.GetString(bytes).Split('\n').Index())
        {
            var text = line.Trim();
            if (text.Length == 0 || text[0] == '#')
            {
                continue;
            }

            var key = text.Split(' ', 2) is [var kind, var id] ? new CollateralKey(CollateralKinds.Of(kind), id) : default;
            if (key.Kind is CollateralKind.None || !key.IsSound || key.Id.Length == 0)
            {
                refuse("cli.ids", $"{InputFile.NameOf(file)}: line {number + 1}: a kind and an id are expected, for example \"rim NV_GPU_DRIVER_GH100_550.144.03\", found \"{text[..Math.Min(text.Length, 64)]}\"");
                return [];
            }

            keys.Add(key);
        }

        return keys.ToImmutable();
    }

    private void Take(byte[] bytes, string name, Action<string, string> refuse)
    {
        if (MachineEvidence.TryParse(bytes, name, out var machine, out var fault))
        {
            _devices.AddRange(machine.Devices.Chunk(Limits.Devices).Select(chunk => chunk.ToImmutableArray()));
            _processors.AddRange(machine.Cpu is { } inside ? [inside] : []);
        }
        else if (ProcessorEvidence.TryParse(bytes, name, out var cpu, out _))
        {
            _processors.Add(cpu);
        }
        else
        {
            refuse("evidence.malformed", WrongFile.Message(name, "--for", "evidence of devices or of a processor", bytes, $"{fault}", ContentKind.DeviceEvidence, ContentKind.MachineEvidence, ContentKind.ProcessorEvidence));
        }
    }
}

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Evidence.Files;
using Assay.Evidence.Spdm;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Authentication;

/// <summary>
/// Which device a certification path names (S-11): its identity is chain[1]'s public key, its architecture is told by the common names
/// of chain[0] and chain[1], its PDI is part of chain[1]'s serial number.
/// </summary>
public sealed record DeviceIdentity
{
    private const int DeviceChainLength = 5;
    private const string LeafSuffix = " FMC LF";
    private const string DeviceSuffix = " BROM";
    private const int SerialBytes = 1 + Evidence.Spdm.Pdi.Size;
    private const byte GpuSerial = 0x41;
    private const byte BlackwellFspSerial = 0x40;
    private const byte SwitchSerial = 0x50;

    /// <summary>The family.</summary>
    public required DeviceArchitecture Architecture { get; init; }

    /// <summary>Which processor of the device answered.</summary>
    public required Responder Responder { get; init; }

    /// <summary>The chip in the certificate's words, for instance <c>GH100</c> or <c>LS_10</c>.</summary>
    public required string Chip { get; init; }

    /// <summary>chain[1]'s common name: NVIDIA's <c>hwmodel</c> claim.</summary>
    public required string HardwareModel { get; init; }

    /// <summary>chain[0]'s serial number in decimal: NVIDIA's <c>ueid</c> claim.</summary>
    public required string Ueid { get; init; }

    /// <summary>SHA-384 of chain[1]'s SubjectPublicKeyInfo.</summary>
    public required Digest Id { get; init; }

    /// <summary>The physical device identifier; null when the serial number has another shape.</summary>
    public required Pdi? Pdi { get; init; }

    /// <summary>GPU or switch.</summary>
    public DeviceKind Kind => Architecture is DeviceArchitecture.Ls10 ? DeviceKind.Switch : DeviceKind.Gpu;

    internal static bool TryIdentify(CertificationPath path, [NotNullWhen(true)] out DeviceIdentity? identity, [NotNullWhen(false)] out string? whyNot)
    {
        identity = null;
        var chain = path.Certificates;
        if (chain.Length != DeviceChainLength)
        {
            whyNot = $"a device identity chain has {DeviceChainLength} certificates, this one has {chain.Length}";
            return false;
        }

        var leaf = chain[0].Subject.CommonName ?? "";
        var device = chain[1].Subject.CommonName ?? "";
        var model = device.EndsWith(DeviceSuffix, StringComparison.Ordinal) ? device[..^DeviceSuffix.Length] : "";
        var words = model.Split(' ');
        var (architecture, responder) = Classify(words);
        if (architecture is DeviceArchitecture.None || leaf != model + LeafSuffix)
        {
            whyNot = $"\"{leaf}\" under \"{device}\" names no device that is understood: GH…, GB…, GR… (GSP), GB… (FSP) or LS_10 (FSP), with the leaf \"… FMC LF\" under \"… BROM\"";
            return false;
        }

        whyNot = null;
        identity = new DeviceIdentity
        {
            Architecture = architecture,
            Responder = responder,
            Chip = words[0],
            HardwareModel = device,
            Ueid = chain[0].SerialNumberDecimal,
            Id = chain[1].KeyIdentity,
            Pdi = ReadPdi(chain[1], architecture, responder),
        };
        return true;
    }

    /// <summary>Why chain[1]'s serial number contradicts itself; null when it does not.</summary>
    internal static string? WhyNotSerial(Certificate device) =>
        device.Subject.SerialNumber is { } text && !text.Equals(Convert.ToHexString(device.SerialNumber.Span), StringComparison.OrdinalIgnoreCase)
            ? $"chain[1]'s subject says serialNumber {text}, the certificate's own is {Convert.ToHexString(device.SerialNumber.Span)}"
            : null;

    private static (DeviceArchitecture Architecture, Responder Responder) Classify(string[] words) => words switch
    {
        ["LS_10", ['A' or 'B', ..], "FSP"] => (DeviceArchitecture.Ls10, Responder.Fsp),
        [['G', 'H', _, _, _], ['A' or 'B', ..], "GSP"] => (DeviceArchitecture.Hopper, Responder.Gsp),
        [['G', 'B', _, _, _], ['A' or 'B', ..], "GSP"] => (DeviceArchitecture.Blackwell, Responder.Gsp),
        [['G', 'B', _, _, _], ['A' or 'B', ..], "FSP"] => (DeviceArchitecture.Blackwell, Responder.Fsp),
        [['G', 'R', _, _, _], ['A' or 'B', ..], "GSP"] => (DeviceArchitecture.Rubin, Responder.Gsp),
        _ => (DeviceArchitecture.None, Responder.None),
    };

    private static Pdi? ReadPdi(Certificate device, DeviceArchitecture architecture, Responder responder)
    {
        var expected = (architecture, responder) switch
        {
            (DeviceArchitecture.Ls10, _) => SwitchSerial,
            (DeviceArchitecture.Blackwell, Responder.Fsp) => BlackwellFspSerial,
            _ => GpuSerial,
        };
        var serial = device.SerialNumber.Span;
        var shaped = device.Subject.SerialNumber is not null && serial.Length == SerialBytes && serial[0] == expected;
        return shaped ? Evidence.Spdm.Pdi.FromBytes(serial[1..]) : null;
    }
}

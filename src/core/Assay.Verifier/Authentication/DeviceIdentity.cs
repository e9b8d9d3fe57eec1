using System.Diagnostics.CodeAnalysis;
using Assay.Evidence.Devices;
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
    private const int SerialBytes = 1 + Evidence.Spdm.Pdi.Size;

    /// <summary>The model that its certificates name.</summary>
    internal DeviceModel Model { get; init; } = null!;

    /// <summary>The family.</summary>
    public DeviceArchitecture Architecture => Model.Architecture;

    /// <summary>Which processor of the device answered.</summary>
    public Responder Responder => Model.Responder;

    /// <summary>The chip in the certificate's words, for instance <c>GH100</c> or <c>LS_10</c>.</summary>
    public required string Chip { get; init; }

    /// <summary>chain[1]'s common name: NVIDIA's <c>hwmodel</c> claim.</summary>
    public required string HardwareModel { get; init; }

    /// <summary>chain[0]'s serial number in decimal: NVIDIA's <c>ueid</c> claim.</summary>
    public required string Ueid { get; init; }

    /// <summary>SHA-384 of chain[1]'s SubjectPublicKeyInfo.</summary>
    public required Digest Id { get; init; }

    /// <summary>The physical device identifier; null when the serial number has another shape.</summary>
    internal Pdi? Pdi { get; init; }

    /// <summary>GPU or switch.</summary>
    public DeviceKind Kind => Model.Kind;

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
        if (!DeviceModels.TryFind(leaf, device, out var model, out var chip, out whyNot))
        {
            return false;
        }

        identity = new DeviceIdentity
        {
            Model = model,
            Chip = chip,
            HardwareModel = device,
            Ueid = chain[0].SerialNumberDecimal,
            Id = chain[1].KeyIdentity,
            Pdi = ReadPdi(chain[1], model),
        };
        return true;
    }

    /// <summary>Why chain[1]'s serial number contradicts itself; null when it does not.</summary>
    internal static string? WhyNotSerial(Certificate device) =>
        device.Subject.SerialNumber is { } text && !text.Equals(Convert.ToHexString(device.SerialNumber.Span), StringComparison.OrdinalIgnoreCase)
            ? $"chain[1]'s subject says serialNumber {text}, the certificate's own is {Convert.ToHexString(device.SerialNumber.Span)}"
            : null;

    private static Pdi? ReadPdi(Certificate device, DeviceModel model)
    {
        var serial = device.SerialNumber.Span;
        var shaped = device.Subject.SerialNumber is not null && serial.Length == SerialBytes && serial[0] == model.SerialPrefix;
        return shaped ? Evidence.Spdm.Pdi.FromBytes(serial[1..]) : null;
    }
}

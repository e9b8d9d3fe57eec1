using Assay.Wire;

namespace Assay.Appraisal.Boot;

/// <summary>The events with which firmware ends its part (PC Client Platform Firmware Profile 1.06 §3.3.2.2): four zero octets, or four of FF.</summary>
internal static class Separators
{
    public static bool IsSound(Digest digest, TcgHash bank) => digest == bank.Of([0, 0, 0, 0]) || digest == bank.Of([0xFF, 0xFF, 0xFF, 0xFF]);
}

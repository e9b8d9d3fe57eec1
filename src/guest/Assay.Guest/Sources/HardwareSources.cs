using Assay.Guest.Configuration;
using Assay.Trust;

namespace Assay.Guest.Sources;

/// <summary>The hardware of this machine, under the compiled-in roots and no others.</summary>
internal static class HardwareSources
{
    public static GuestSources Open(GuestConfiguration configuration) => throw new NotImplementedException();
}

using System.Globalization;

namespace Assay.Simulator;

/// <summary>Instants as the simulator writes them in JSON and says them: RFC 3339, UTC, whole seconds.</summary>
public static class SimulatedTime
{
    /// <summary>The instant as text.</summary>
    public static string Text(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}

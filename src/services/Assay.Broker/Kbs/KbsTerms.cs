namespace Assay.Broker.Kbs;

/// <summary>How the KBS protocol is served. It knows no logins: what a guest shows is its credential, so one tenant's resources are served.</summary>
public sealed record KbsTerms
{
    /// <summary>Whose keys.</summary>
    public required string Tenant { get; init; }

    /// <summary>How long a session lasts: from its challenge on, so evidence is never older.</summary>
    public TimeSpan SessionLife { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Sessions at one time; of one address an eighth of them.</summary>
    public int MostSessions { get; init; } = 4096;
}

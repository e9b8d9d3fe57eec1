namespace Assay.Cli;

/// <summary>What scripts may rely on. Never renumbered.</summary>
internal static class ExitCode
{
    /// <summary>Verified, and the policy is satisfied.</summary>
    public const int Verified = 0;

    /// <summary>Not verified, or the policy says no.</summary>
    public const int Refused = 1;

    /// <summary>Unusable command line, or input that cannot be read.</summary>
    public const int Unusable = 2;

    /// <summary>Nothing failed, but collateral is missing or unreachable.</summary>
    public const int Incomplete = 3;

    /// <summary>A bug or an outage of this machine.</summary>
    public const int Internal = 70;

    /// <summary>Interrupted (Ctrl-C, SIGTERM) before there was an answer, as shells say it of SIGINT.</summary>
    public const int Interrupted = 130;
}

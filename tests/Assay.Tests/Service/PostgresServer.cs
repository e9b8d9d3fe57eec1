namespace Assay.Tests.Service;

/// <summary>PostgreSQL as a peer of tests.</summary>
internal static class PostgresServer
{
    public static Task<PostgresProcess> StartAsync(params string[] settings)
    {
        if (PostgresProcess.Programs is null && Environment.GetEnvironmentVariable("CI") == "true")
        {
            Assert.Fail("postgresql is not installed; eng/test installs it where it may");
        }

        Assert.SkipWhen(PostgresProcess.Programs is null, "postgresql is not installed");
        return PostgresProcess.StartAsync(PostgresProcess.Programs!, settings);
    }
}

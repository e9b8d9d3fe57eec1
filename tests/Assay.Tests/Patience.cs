namespace Assay.Tests;

/// <summary>
/// How long a test waits for what must come: another process, a server, an event. It bounds a hang and measures nothing, so that no test
/// fails because the machine is slow. What a test says about speed it says in counts.
/// </summary>
internal static class Patience
{
    public static readonly TimeSpan Long = TimeSpan.FromMinutes(15);
}

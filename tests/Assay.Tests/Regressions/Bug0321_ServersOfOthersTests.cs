using System.Diagnostics;
using System.Globalization;
using Assay.Tests.Docs;

namespace Assay.Tests.Regressions;

/// <summary>Servers that a document starts were ended by their id alone, which another process may have by then.</summary>
public sealed class Bug0321_ServersOfOthersTests
{
    [Fact]
    public void Only_the_process_that_was_started_is_ended_and_no_other_that_has_its_id()
    {
        using var process = Process.Start("sleep", "600");
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, string.Create(CultureInfo.InvariantCulture, $"{process.Id} 1\n"));
            CommandBlockTests.Stop(file);
            Assert.NotNull(CommandBlockTests.StartOf(process.Id));
            Assert.False(process.HasExited);

            File.WriteAllText(file, string.Create(CultureInfo.InvariantCulture, $"{process.Id} {CommandBlockTests.StartOf(process.Id)}\n"));
            CommandBlockTests.Stop(file);
            Assert.True(process.WaitForExit(Patience.Long));
        }
        finally
        {
            process.Kill();
            File.Delete(file);
        }
    }
}

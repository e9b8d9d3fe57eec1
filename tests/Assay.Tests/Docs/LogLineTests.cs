using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Assay.Collateral.Cache;
using Assay.Collateral.Diagnostics;
using Assay.Collateral.Proxy;
using Microsoft.Extensions.Logging;

namespace Assay.Tests.Docs;

/// <summary>The log lines of cache and proxy, as the manual lists them for writers of alerts.</summary>
public sealed partial class LogLineTests
{
    private const BindingFlags Any = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;

    private static (int Id, string Name, LogLevel Level)[] Lines =>
    [
        .. new[] { typeof(CollateralCache).Assembly, typeof(CollateralProxy).Assembly }.SelectMany(assembly => assembly.GetTypes()).SelectMany(type => type.GetMethods(Any))
            .Select(method => (method.Name, Line: method.GetCustomAttribute<LoggerMessageAttribute>())).Where(line => line.Line is not null)
            .Select(line => (line.Line!.EventId, line.Name, line.Line.Level)).OrderBy(line => line.EventId),
    ];

    [Fact]
    public void The_manual_lists_every_log_line_with_its_id_name_and_level()
    {
        var manual = File.ReadAllText(Path.Combine(Repository.Root, "docs", "operations", "collateral.md"));
        var documented = Row().Matches(manual).Select(row => (int.Parse(row.Groups[1].Value, CultureInfo.InvariantCulture), row.Groups[2].Value, Enum.Parse<LogLevel>(row.Groups[3].Value)));

        Assert.Equal(Lines, documented);
    }

    [Fact]
    public void Every_id_is_of_one_line_and_comes_from_one_file()
    {
        var ids = typeof(EventIds).GetFields(Any).ToDictionary(field => (int)field.GetRawConstantValue()!, field => field.Name);

        Assert.Equal(ids.OrderBy(id => id.Key).Select(id => (id.Key, id.Value)), Lines.Select(line => (line.Id, line.Name)));
    }

    [Fact]
    public void Log_lines_are_written_in_files_of_their_own()
    {
        var files = new[] { "access/Assay.Collateral", "services/Assay.Collateral.Proxy" }
            .SelectMany(project => Directory.EnumerateFiles(Path.Combine(Repository.Root, "src", project), "*.cs", SearchOption.AllDirectories))
            .Where(file => File.ReadAllText(file).Contains("[LoggerMessage(", StringComparison.Ordinal)).ToArray();

        Assert.NotEmpty(files);
        Assert.All(files, file => Assert.EndsWith(".Log.cs", file, StringComparison.Ordinal));
    }

    [GeneratedRegex(@"^\| ([0-9]{4}) \| `([A-Za-z]+)` \| ([A-Za-z]+) \|", RegexOptions.Multiline)]
    private static partial Regex Row();
}

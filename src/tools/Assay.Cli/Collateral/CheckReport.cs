using System.Collections.Immutable;
using System.Globalization;
using Assay.Endorsements;

namespace Assay.Cli.Collateral;

/// <summary>What ends when, the first end first, for people and for programs.</summary>
internal sealed class CheckReport
{
    private readonly (CollateralEnd End, string State)[] _rows;
    private readonly DateTimeOffset _now;
    private readonly int _days;
    private readonly CollateralBundle? _bundle;

    /// <param name="ends">Of everything.</param>
    /// <param name="now">The clock.</param>
    /// <param name="days">What ends within so many is told apart.</param>
    /// <param name="bundle">The bundle that was read; null for a folder or a cache.</param>
    public CheckReport(ImmutableArray<CollateralEnd> ends, DateTimeOffset now, int days, CollateralBundle? bundle)
    {
        (_now, _days, _bundle) = (now, days, bundle);
        _rows = [.. ends.OrderBy(end => end.Until ?? DateTimeOffset.MinValue).ThenBy(end => end.Name, StringComparer.Ordinal).Select(end => (end, StateOf(end)))];
    }

    public bool AllHold => _rows.All(row => row.State is "holds");

    public void PrintText()
    {
        foreach (var (end, state) in _rows)
        {
            var until = end.Until is { } instant ? $"{Instant.Text(instant)}  {From(instant),13}" : new string(' ', 35);
            Console.Out.WriteLine(Printable.Of($"{state,-8}  {until}  {end.Name}  {end.File}{(end.WhyNot is { } why ? $": {why}" : end.IsVerified ? "" : " (signature not verified)")}"));
        }

        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{_rows.Length} items: {Count("unusable")} unusable, {Count("ended")} ended, {Count("ends")} end within {_days} days"));
        if (_bundle is { Manifest: var manifest })
        {
            Console.Out.WriteLine($"The bundle says: sequence {manifest.Sequence}, good until {Instant.Text(manifest.GoodUntil)} (its signature was not verified: assay bundle verify does)");
        }
    }

    public void PrintJson() => JsonOutput.Print(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("at", Instant.Text(_now));
        writer.WriteNumber("withinDays", _days);
        if (_bundle is { Manifest: var manifest })
        {
            writer.WriteStartObject("bundle");
            writer.WriteNumber("sequence", manifest.Sequence);
            writer.WriteString("goodUntil", Instant.Text(manifest.GoodUntil));
            writer.WriteBoolean("signatureVerified", false);
            writer.WriteEndObject();
        }

        writer.WriteStartArray("items");
        foreach (var (end, state) in _rows)
        {
            writer.WriteStartObject();
            writer.WriteString("state", state);
            writer.WriteString("item", end.Name);
            writer.WriteString("source", end.File);
            if (end.Until is { } until)
            {
                writer.WriteString("until", Instant.Text(until));
                writer.WriteNumber("days", Days(until));
            }

            writer.WriteBoolean("verified", end.IsVerified);
            if (end.WhyNot is { } whyNot)
            {
                writer.WriteString("reason", whyNot);
            }

            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    });

    private int Count(string state) => _rows.Count(row => row.State == state);

    // Whole days that are left, or that are over.
    private string From(DateTimeOffset until)
    {
        if (until.Year == DateTime.MaxValue.Year)
        {
            return "no end";
        }

        var days = (long)Math.Truncate((until - _now).TotalDays);
        var word = days is 1 or -1 ? "day" : "days";
        var count = Math.Abs(days).ToString(CultureInfo.InvariantCulture);
        return until < _now ? $"{count} {word} ago" : $"in {count} {word}";
    }

    private long Days(DateTimeOffset until) => (long)Math.Floor((until - _now).TotalDays);

    private string StateOf(CollateralEnd end) => end.Until is not { } until ? "unusable" : until < _now ? "ended" : (until - _now).TotalDays <= _days ? "ends" : "holds";
}

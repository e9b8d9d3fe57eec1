using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Assay.Cli.Demo;

namespace Assay.Tests.Service;

/// <summary>What deploy/grafana and deploy/prometheus ask about, against what a server that has judged evidence serves.</summary>
public sealed partial class DashboardTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    // Prometheus gives every series a job and an instance; "le" is a histogram's own.
    private static readonly string[] s_given = ["job", "instance", "le"];

    [Fact]
    public async Task Every_metric_and_label_that_is_asked_about_is_served_after_one_appraisal()
    {
        await using var database = await PostgresServer.StartAsync();
        var management = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{DemoChannel.FreePort()}");
        await using var world = await ServiceWorld.StartAsync(machine, database.Connection, configure: configuration =>
        {
            configuration["management"] = management;
            configuration["roles"] = new JsonArray("attestation", "collateral");
        });
        Assert.Equal(200, (await world.AttestAsync()).Status);
        using var http = new HttpClient { BaseAddress = new Uri($"http://{management}") };
        // The paths of the probes and no others.
        foreach (var path in (string[])["/healthz", "/readyz"])
        {
            Assert.Equal(200, (int)(await http.GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken)).StatusCode);
        }

        Assert.Equal(404, (int)(await http.GetAsync(new Uri("/v1/revoked-tokens", UriKind.Relative), TestContext.Current.CancellationToken)).StatusCode);
        var series = Sample().Matches(await http.GetStringAsync("/metrics", TestContext.Current.CancellationToken)).GroupBy(sample => sample.Groups[1].Value, StringComparer.Ordinal)
            .ToDictionary(group => group.Key, group => group.SelectMany(sample => Label().Matches(sample.Groups[2].Value).Select(label => label.Groups[1].Value)).ToHashSet(StringComparer.Ordinal), StringComparer.Ordinal);

        var (panels, alerts, silent) = (Dashboard().ToArray(), Alerts().ToArray(), Silent());
        Assert.True(panels.Length > 20 && alerts.Length > 5);
        Assert.All(panels.Concat(alerts), expression =>
        {
            var names = Metric().Matches(expression).Select(match => match.Groups[1].Value).ToArray();
            Assert.NotEmpty(names);
            if (alerts.Contains(expression) && names.All(silent.Contains))
            {
                return;
            }

            Assert.All(names, name => Assert.True(series.ContainsKey(name), $"{name} in {expression}"));
            var labels = names.SelectMany(name => series[name]).Concat(s_given).ToHashSet(StringComparer.Ordinal);
            Assert.All(Matcher().Matches(expression).Select(match => match.Groups[1].Value).Concat(By().Matches(expression).SelectMany(match => match.Groups[1].Value.Split(", "))), label => Assert.True(labels.Contains(label), $"{label} in {expression}"));
        });
    }

    [Fact]
    public void Panels_have_a_place_of_their_own_a_description_and_the_data_source_of_the_reader()
    {
        var dashboard = JsonElement.Parse(File.ReadAllText(Path.Combine(Repository.Root, "deploy", "grafana", "assay-service.json")));
        var panels = dashboard.GetProperty("panels").EnumerateArray().ToArray();

        Assert.Equal(panels.Length, panels.Select(panel => panel.GetProperty("id").GetInt32()).Distinct().Count());
        Assert.Equal(panels.Length, panels.Select(panel => panel.GetProperty("gridPos")).Select(place => (place.GetProperty("x").GetInt32(), place.GetProperty("y").GetInt32())).Distinct().Count());
        Assert.All(panels, panel =>
        {
            Assert.NotEmpty(panel.GetProperty("description").GetString()!);
            Assert.All(panel.GetProperty("targets").EnumerateArray(), target => Assert.Equal("${datasource}", target.GetProperty("datasource").GetProperty("uid").GetString()));
        });
        Assert.Equal(["datasource", "job"], dashboard.GetProperty("templating").GetProperty("list").EnumerateArray().Select(variable => variable.GetProperty("name").GetString()));
    }

    [Fact]
    public void Promtool_parses_every_expression()
    {
        var promtool = Peer.Require("promtool");
        var rules = Path.GetTempFileName();
        try
        {
            var panels = new JsonArray([.. Dashboard().Select((expression, number) => new JsonObject
            {
                ["record"] = $"panel:{number}",
                // What Grafana puts in.
                ["expr"] = expression.Replace("$__rate_interval", "5m", StringComparison.Ordinal).Replace("$job", "assay", StringComparison.Ordinal),
            })]);
            // JSON is YAML.
            File.WriteAllText(rules, new JsonObject { ["groups"] = new JsonArray(new JsonObject { ["name"] = "dashboard", ["rules"] = panels }) }.ToJsonString());

            var answer = promtool.Run("check", "rules", rules);

            Assert.True(answer.Accepted, answer.Output);
        }
        finally
        {
            File.Delete(rules);
        }
    }

    // A counter of what went wrong is served from the first time on. The server has it all the same, and alerts ask about it.
    private static HashSet<string> Silent()
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        using var listener = new MeterListener { InstrumentPublished = (instrument, _) => names.Add(instrument is Counter<long> or ObservableCounter<long> ? $"{instrument.Name.Replace('.', '_')}_total" : "") };
        listener.Start();
        return names;
    }

    private static IEnumerable<string> Dashboard() => JsonElement.Parse(File.ReadAllText(Path.Combine(Repository.Root, "deploy", "grafana", "assay-service.json")))
        .GetProperty("panels").EnumerateArray().SelectMany(panel => panel.GetProperty("targets").EnumerateArray()).Select(target => target.GetProperty("expr").GetString()!);

    private static IEnumerable<string> Alerts() => Directory.EnumerateFiles(Path.Combine(Repository.Root, "deploy", "prometheus"), "*-alerts.yml").SelectMany(File.ReadLines)
        .Select(line => Expression().Match(line)).Where(match => match.Success).Select(match => match.Groups[1].Value);

    [GeneratedRegex(@"^([a-z][a-z0-9_]*)(\{.*\})? \S+", RegexOptions.Multiline)]
    private static partial Regex Sample();

    [GeneratedRegex(@"[{,]([a-z_]+)=""")]
    private static partial Regex Label();

    // Names of metrics begin like this; those of labels are not followed by a brace or a range, or are after "by".
    [GeneratedRegex(@"\b((?:assay|dotnet|db_client|http_server|kestrel|aspnetcore)_[a-z0-9_]+)")]
    private static partial Regex Metric();

    [GeneratedRegex(@"[{,] ?([a-z_]+)(?:=~|!=|!~|=)")]
    private static partial Regex Matcher();

    [GeneratedRegex(@" by \(([a-z_, ]+)\)")]
    private static partial Regex By();

    [GeneratedRegex(@"^ +expr: (.+)$")]
    private static partial Regex Expression();
}

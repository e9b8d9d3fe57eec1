using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Assay.Cli.Demo;
using Assay.Service.Keys;

namespace Assay.Tests.Service;

/// <summary>assay-server as a process, started and stopped as an orchestrator does it.</summary>
public sealed class ServerProcessTests : IDisposable
{
    private static readonly string s_program = Path.Combine(AppContext.BaseDirectory, "assay-server.dll");

    private readonly string _folder = Directory.CreateTempSubdirectory("assay-process-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("strat", "'strat'")]
    [InlineData("run", "'--config' is required")]
    [InlineData("run --confg x", "'--confg'")]
    [InlineData("run --config @x", "cannot be read")]
    [InlineData("create-key --config x --scope bogus", "'bogus'")]
    [InlineData("create-key --config x --scope read --days foo", "'foo': a whole number is expected for --days")]
    [InlineData("create-key --config {server.json} --scope operator --tenant site", "only for the tenant operator")]
    [InlineData("create-key --config {server.json} --scope read --tenant Site", "--tenant: 1 to 40")]
    [InlineData("create-key --config {server.json} --scope read --days 0", "--days: 1 to 3650")]
    [InlineData("run --config {server.json}", "tls.certificate: /nowhere/tls.pem does not exist")]
    public void What_a_user_typed_wrong_is_told_in_a_line_on_standard_error_with_exit_code_2(string words, string expected)
    {
        Configure(options => options["tls"] = new JsonObject { ["certificate"] = "/nowhere/tls.pem", ["key"] = "/nowhere/tls.key" });

        var (code, output, error) = Run(words.Replace("{server.json}", At("server.json"), StringComparison.Ordinal).Split(' '));

        Assert.Equal((2, ""), (code, output));
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.All(error.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.Matches("^(assay-server: service\\.|Try: assay-server)", line));
    }

    [Fact]
    public void Keys_are_made_before_the_files_of_TLS_are_there()
    {
        Configure(options => options["tls"] = new JsonObject { ["certificate"] = "/nowhere/tls.pem", ["key"] = "/nowhere/tls.key" });

        var (code, output, error) = Run("create-key", "--config", At("server.json"), "--scope", "operator");

        Assert.True(code == 0, error);
        Assert.StartsWith("assay_", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_or_a_database_of_another_user_is_not_said_to_be_missing_or_held()
    {
        Sealing.UserProcess.RequireRoot();
        Configure(_ => { });
        File.SetUnixFileMode(_folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherExecute | UnixFileMode.OtherRead);
        string Refused()
        {
            var answer = Sealing.UserProcess.AsUser("env", $"HOME={_folder}", "dotnet", s_program, "create-key", "--config", At("server.json"), "--scope", "operator");
            Assert.False(answer.Accepted);
            return answer.Output;
        }

        Assert.Contains("service.kek.open", Refused(), StringComparison.Ordinal);
        Assert.True(Peer.Require("chown").Run(Sealing.UserProcess.User, At("kek")).Accepted);
        Assert.Contains("service.database.access", Refused(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_command_has_help_with_examples_completion_and_a_version()
    {
        foreach (var command in (string[])["run", "selftest", "init-key", "create-key", "completion", "version"])
        {
            var help = Run("help", command);
            Assert.Equal(0, help.Code);
            Assert.Matches($"Examples:\\n  .*assay-server {command}", help.Output);
        }

        Assert.Equal("assay-server 0.1.0", Run("version").Output.Trim());
        var completed = Peer.Require("bash").Run("-c", $"assay-server() {{ dotnet {s_program} \"$@\"; }}; eval \"$(assay-server completion)\"; COMP_WORDS=(assay-server cr) COMP_CWORD=1 COMP_LINE='assay-server cr' COMP_POINT=15; _assay_server; echo \"${{COMPREPLY[@]}}\"");
        Assert.Equal("create-key", completed.Output.Trim());
    }

    /// <summary>The command line's own limit for a stop is two seconds, and must not be what ends it.</summary>
    [Fact]
    public async Task A_stop_takes_what_the_drain_takes_and_ends_well()
    {
        var port = Configure(options => options["drain"] = new JsonObject { ["notReadySeconds"] = 4 });
        using var server = Process.Start(new ProcessStartInfo("dotnet", [s_program, "run", "--config", At("server.json")]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        try
        {
            var error = server.StandardError.ReadToEndAsync(Cancellation);
            Assert.True(await server.StandardOutput.ReadLineAsync(Cancellation) is { } line && line.StartsWith("serving ", StringComparison.Ordinal), server.HasExited ? await error : "");
            using var http = new HttpClient { BaseAddress = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")) };
            using var kill = Process.Start("kill", ["-TERM", server.Id.ToString(CultureInfo.InvariantCulture)]);

            // It answers on, and says that it will stop.
            while ((await http.GetAsync(new Uri("/readyz", UriKind.Relative), Cancellation)).StatusCode is HttpStatusCode.OK)
            {
                await Task.Delay(20, Cancellation);
            }

            Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(new Uri("/.well-known/jwks.json", UriKind.Relative), Cancellation)).StatusCode);
            await server.WaitForExitAsync(Cancellation).WaitAsync(Patience.Long, Cancellation);
            Assert.True(server.ExitCode == 0, $"{server.ExitCode}: {await error}");
        }
        finally
        {
            if (!server.HasExited)
            {
                server.Kill(entireProcessTree: true);
            }
        }
    }

    [Fact]
    public void A_key_that_an_orchestrator_hands_over_is_taken_into_a_file_of_the_servers_own_and_again_at_the_next_start()
    {
        KeyEncryptionKey.Create(At("secret"));
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(At("secret"), UnixFileMode.UserRead | UnixFileMode.GroupRead);
        }

        Assert.Contains("service.kek.open", Assert.Throws<Assay.Service.ServiceException>(() => KeyEncryptionKey.Read(At("secret"))).Id, StringComparison.Ordinal);
        for (var start = 0; start < 2; start++)
        {
            Assert.True(Init(At("kek"), "--from", At("secret")).Accepted);
            Assert.Equal(File.ReadAllText(At("secret")), File.ReadAllText(At("kek")));
            using var key = KeyEncryptionKey.Read(At("kek"));
        }

        // Without --from what is there is never replaced, and what is no key is not taken in its place.
        Assert.Equal(1, Init(At("kek")).ExitCode);
        File.WriteAllText(At("other"), "not a key\n");
        Assert.Contains("service.kek.form", Init(At("kek"), "--from", At("other")).Output, StringComparison.Ordinal);
        Assert.Equal(1, Init(At("kek"), "--from", At("absent")).ExitCode);
        Assert.Equal(File.ReadAllText(At("secret")), File.ReadAllText(At("kek")));
    }

    private static PeerAnswer Init(params IEnumerable<string> words) => Peer.Require("dotnet").Run([s_program, "init-key", .. words]);

    private int Configure(Action<JsonObject> change)
    {
        var port = DemoChannel.FreePort();
        KeyEncryptionKey.Create(At("kek"));
        var options = new JsonObject
        {
            ["issuer"] = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}"),
            ["listen"] = new JsonArray(string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}")),
            ["database"] = At("assay.db"),
            ["kek"] = At("kek"),
        };
        change(options);
        File.WriteAllText(At("server.json"), options.ToJsonString());
        return port;
    }

    private static (int Code, string Output, string Error) Run(params string[] words)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [s_program, .. words]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync(Cancellation);
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }

    private string At(string name) => Path.Combine(_folder, name);
}

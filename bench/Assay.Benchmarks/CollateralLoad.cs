using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Assay.Collateral;
using Assay.Collateral.Cache;
using Assay.Collateral.Items;
using Assay.Collateral.Proxy;
using Assay.Endorsements;
using Assay.Simulator;
using Assay.Trust;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using OcspRequest = Assay.Trust.Revocation.OcspRequest;

namespace Assay.Benchmarks;

/// <summary>
/// <c>assay bench collateral</c>: hits of the proxy under <c>wrk</c> on loopback, as a share of what a bare Kestrel answers with the same
/// bytes in the same run. The two alternate every few seconds, and the median of the pairs counts.
/// </summary>
internal static partial class CollateralLoad
{
    private const int Rounds = 5;
    private const double Target = 0.6;
    private const string Connections = "32";

    private sealed record Load(string Name, string Path, string ContentType, byte[] Body, byte[]? Posted);

    private sealed record Result(string Name, int Bytes, double Bare, double Proxy, double Share, string[] Shares);

    public static async Task<int> RunAsync(string[] arguments)
    {
        var (json, seconds) = (false, 3);
        for (var index = 0; index < arguments.Length; index += 2)
        {
            switch (arguments[index..])
            {
                case ["--format", "text" or "json", ..]:
                    json = arguments[index + 1] == "json";
                    break;
                case ["--seconds", var text, ..] when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out seconds) && seconds is > 0 and <= 60:
                    break;
                default:
                    await Console.Error.WriteLineAsync("usage: assay bench collateral [--seconds 1..60] [--format text|json]").ConfigureAwait(false);
                    return 2;
            }
        }

        if (!Wrk.IsInstalled)
        {
            await Console.Error.WriteLineAsync("assay bench: wrk is needed (apt-get install wrk)").ConfigureAwait(false);
            return 2;
        }

        var results = await MeasureAsync(seconds).ConfigureAwait(false);
        Console.Out.WriteLine(json ? JsonSerializer.Serialize(results) : Table(results));
        return 0;
    }

    private static async Task<List<Result>> MeasureAsync(int seconds)
    {
        var now = TimeProvider.System.GetUtcNow();
        using var authority = SimulatedAuthority.Create(now);
        using var device = SimulatedDevice.Create(authority, DeviceProfile.Hopper580);
        var set = SimulatedSet.Of(authority, device, RandomNumberGenerator.GetBytes(32), now);
        var intel = SimulatedIntel.Create(now);
        _ = TrustSet.TryParse(CpuAnchors.ToJson("bench", intel, null, authority), out var trust, out _);
        var upstream = new Upstream(set, SimulatedPcs.Of(SimulatedTdx.Create(intel, 4, false, new byte[64])));
        var verification = new ItemVerification(trust!, new VerifierCache());
        var cache = new CollateralCache(verification, null, upstream, new CachePolicy(), TimeProvider.System, refreshes: false);
        await using (cache.ConfigureAwait(false))
        {
            var chain = Encoding.ASCII.GetBytes(device.Certificate.Issuer!.ChainPem);
            cache.AddAuthorities(verification.TryVerifyAuthority(chain, out var proof, out var fault) ? proof : throw new InvalidOperationException(fault.ToString()));
            var options = new ProxyOptions { Listen = [new IPEndPoint(IPAddress.Loopback, 0)], Rate = 1_000_000 };
            var proxy = await CollateralProxy.StartAsync(options, cache, null, verification, TimeProvider.System, CancellationToken.None).ConfigureAwait(false);
            await using (proxy.ConfigureAwait(false))
            {
                var results = new List<Result>();
                foreach (var load in await LoadsAsync(proxy.Addresses.Single(), set, device, upstream).ConfigureAwait(false))
                {
                    results.Add(await CompareAsync(load, proxy.Addresses.Single(), seconds).ConfigureAwait(false));
                }

                return results;
            }
        }
    }

    // Asked once: from then on they are held, and the bare server answers the same bytes.
    private static async Task<List<Load>> LoadsAsync(string address, SimulatedSet set, SimulatedDevice device, Upstream upstream)
    {
        var brom = device.Certificate.Issuer!;
        _ = Certificate.TryParse(brom.Der.Span, out var subject, out _);
        _ = Certificate.TryParse(brom.Issuer!.Der.Span, out var issuer, out _);
        var request = OcspRequest.Encode(subject!, issuer!);
        (string Name, string Path, byte[]? Posted)[] asked =
        [
            ("RIM", $"/v1/rim/{set.Rims[0].Id}", null),
            ("OCSP by POST", "/ocsp", request),
            ("OCSP by GET", "/ocsp/" + Uri.EscapeDataString(Convert.ToBase64String(request)), null),
            ("TDX TCB information", $"/tdx/certification/v4/tcb?fmspc={upstream.Fmspc}", null),
        ];
        using var http = new HttpClient { BaseAddress = new Uri(address) };
        var loads = new List<Load>();
        foreach (var (name, path, posted) in asked)
        {
            using var message = new HttpRequestMessage(posted is null ? HttpMethod.Get : HttpMethod.Post, path);
            if (posted is not null)
            {
                message.Content = new ByteArrayContent(posted);
                message.Content.Headers.ContentType = new("application/ocsp-request");
            }

            using var answer = await http.SendAsync(message).ConfigureAwait(false);
            var body = await answer.EnsureSuccessStatusCode().Content.ReadAsByteArrayAsync().ConfigureAwait(false);
            loads.Add(new Load(name, path, answer.Content.Headers.ContentType!.ToString(), body, posted));
        }

        return loads;
    }

    private static async Task<Result> CompareAsync(Load load, string proxy, int seconds)
    {
        var bare = await BareAsync(load).ConfigureAwait(false);
        await using (bare.ConfigureAwait(false))
        {
            var address = bare.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
            var pairs = new List<(double Bare, double Proxy)>();
            // The first pair warms the compiler and is not counted.
            for (var round = 0; round <= Rounds; round++)
            {
                pairs.Add((await WrkAsync(address + load.Path, load, seconds).ConfigureAwait(false), await WrkAsync(proxy + load.Path, load, seconds).ConfigureAwait(false)));
            }

            var counted = pairs.Skip(1).ToArray();
            var shares = counted.Select(pair => pair.Proxy / pair.Bare).ToArray();
            await bare.StopAsync().ConfigureAwait(false);
            return new Result(
                load.Name, load.Body.Length, Suite.Median(counted.Select(pair => pair.Bare)), Suite.Median(counted.Select(pair => pair.Proxy)), Suite.Median(shares),
                [.. shares.Order().Select(share => share.ToString("P0", CultureInfo.InvariantCulture))]);
        }
    }

    // The least that a server can do: read what was posted, and answer bytes that it has.
    private static async Task<WebApplication> BareAsync(Load load)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, 0);
        });
        var application = builder.Build();
        application.Run(async context =>
        {
            if (load.Posted is not null)
            {
                var read = await context.Request.BodyReader.ReadAtLeastAsync(load.Posted.Length).ConfigureAwait(false);
                context.Request.BodyReader.AdvanceTo(read.Buffer.End);
            }

            context.Response.ContentType = load.ContentType;
            context.Response.ContentLength = load.Body.Length;
            await context.Response.BodyWriter.WriteAsync(load.Body).ConfigureAwait(false);
        });
        await application.StartAsync().ConfigureAwait(false);
        return application;
    }

    private static async Task<double> WrkAsync(string address, Load load, int seconds)
    {
        var script = Path.GetTempFileName();
        try
        {
            var posted = load.Posted is { } body
                ? $"wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/ocsp-request'\nwrk.body = '{string.Concat(body.Select(octet => string.Create(CultureInfo.InvariantCulture, $"\\{octet:D3}")))}'\n"
                : "";
            await File.WriteAllTextAsync(script, posted).ConfigureAwait(false);
            using var process = Process.Start(new ProcessStartInfo("wrk", ["-t1", "-c" + Connections, $"-d{seconds}s", "-s", script, address]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var output = await process.StandardOutput.ReadToEndAsync().ConfigureAwait(false);
            await process.WaitForExitAsync().ConfigureAwait(false);
            var match = PerSecond().Match(output);
            return process.ExitCode == 0 && match.Success && !output.Contains("Non-2xx", StringComparison.Ordinal)
                ? double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)
                : throw new InvalidOperationException($"wrk {address}: {output}");
        }
        finally
        {
            File.Delete(script);
        }
    }

    private static string Table(List<Result> results)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{"hits of the cache, by wrk",-28}{"bytes",8}{"bare /s",12}{"proxy /s",12}{"share",8}{"to reach",10}   all pairs\n");
        foreach (var result in results)
        {
            text.Append(CultureInfo.InvariantCulture, $"{result.Name,-28}{result.Bytes,8}{result.Bare,12:F0}{result.Proxy,12:F0}{result.Share,8:P0}{">= " + Target.ToString("P0", CultureInfo.InvariantCulture),10}   {string.Join(' ', result.Shares)}\n");
        }

        return text.ToString().TrimEnd('\n');
    }

    [GeneratedRegex(@"Requests/sec:\s+([0-9.]+)")]
    private static partial Regex PerSecond();

    private sealed class Upstream(SimulatedSet set, SimulatedPcs pcs) : ICollateralSource
    {
        public string Fmspc => pcs.Fmspc;

        public Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
        {
            var id = question.Key.Id;
            return Task.FromResult(question.Key.Kind switch
            {
                CollateralKind.Rim => Fetched.Item("simulator", set.Rims.Single(rim => rim.Id == id).Xml),
                CollateralKind.Ocsp => Fetched.Item("simulator", set.Ocsp.Single(answer => id.Contains(answer.Key.SerialNumber, StringComparison.OrdinalIgnoreCase)).Value),
                CollateralKind.TcbInfo => Of(pcs.Get("/tdx/certification/v4/tcb", name => name == "fmspc" ? pcs.Fmspc : null)),
                _ => Fetched.Absent("simulator", "404"),
            });
        }

        private static Fetched<CollateralItem> Of(SimulatedAnswer answer) => Fetched.Item("simulator", answer.Body, Encoding.UTF8.GetBytes(Uri.UnescapeDataString(answer.Headers[0].Value)));
    }
}

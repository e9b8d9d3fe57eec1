using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Assay.Collateral.Cache;
using Assay.Collateral.Staging;
using Assay.Endorsements;
using Assay.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Assay.Collateral.Proxy;

/// <summary>What operators ask: whether it lives, whether it can judge, what it counts, what it holds, until when and from where.</summary>
internal sealed class StatusEndpoints(CollateralCache cache, ItemVerification verification, TimeProvider time)
{
    private const int MostChainBytes = 32 * 1024;

    /// <summary>A line of text, or the problem of the first check that failed.</summary>
    public static Task HealthAsync(HttpContext context, HealthReport report, string healthy) => report.Status is HealthStatus.Healthy
        ? TextAsync(context, Encoding.ASCII.GetBytes(healthy))
        : Refusal.WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "clock", report.Entries.Values.First(entry => entry.Status is not HealthStatus.Healthy).Description ?? "");

    /// <summary>Counters and ends, for Prometheus.</summary>
    public Task MetricsAsync(HttpContext context) => TextAsync(context, MetricsText.Write(cache), MetricsText.ContentType);

    /// <summary>What is held, and what was refused last.</summary>
    public async Task ListAsync(HttpContext context)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.Default }))
        {
            writer.WriteStartObject();
            writer.WriteString("time", Text(time.GetUtcNow()));
            writer.WriteString("notBefore", Text(cache.TimeFloor));
            writer.WriteString("anchors", verification.Trust.Name);
            writer.WriteStartArray("items");
            foreach (var item in cache.Held())
            {
                Write(writer, item);
            }

            writer.WriteEndArray();
            writer.WriteStartArray("refused");
            foreach (var (at, key, fault) in cache.Refused())
            {
                writer.WriteStartObject();
                writer.WriteString("at", Text(at));
                writer.WriteString("kind", CollateralKinds.NameOf(key.Kind));
                writer.WriteString("id", key.Id);
                writer.WriteString("reason", fault.Name);
                writer.WriteString("detail", fault.Reason);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            WritePools(writer, cache.Pools);
            writer.WriteEndObject();
        }

        context.Response.ContentType = "application/json";
        await ItemAnswers.WriteAsync(context, buffer.WrittenMemory).ConfigureAwait(false);
    }

    /// <summary>
    /// Takes in the chain of a device, PEM: without it answers about its certificates cannot be judged. Anybody may send one, for only
    /// chains that end at an anchor are kept.
    /// </summary>
    public async Task LearnAsync(HttpContext context)
    {
        var buffer = new byte[MostChainBytes + 1];
        var length = await RequestBody.ReadAsync(context, buffer).ConfigureAwait(false);
        if (length > MostChainBytes)
        {
            await Refusal.WriteAsync(context, StatusCodes.Status413PayloadTooLarge, Refusal.TooLarge, $"a chain has at most {MostChainBytes} bytes").ConfigureAwait(false);
        }
        else if (!verification.TryVerifyAuthority(buffer.AsMemory(0, length), out var proof, out var fault))
        {
            await Refusal.WriteAsync(context, StatusCodes.Status422UnprocessableEntity, "refused", fault.ToString()).ConfigureAwait(false);
        }
        else
        {
            var added = cache.AddAuthorities(proof);
            context.Response.ContentType = "application/json";
            await ItemAnswers.WriteAsync(context, Encoding.ASCII.GetBytes($"{{\"added\":{added.ToString(CultureInfo.InvariantCulture)}}}")).ConfigureAwait(false);
        }
    }

    private static void WritePools(Utf8JsonWriter writer, PoolBoard pools)
    {
        writer.WriteStartArray("pools");
        foreach (var (name, pool, whyNot) in pools.All())
        {
            writer.WriteStartObject();
            writer.WriteString("name", name);
            writer.WriteString("state", pool is null ? "damaged" : pool.IsGoverned ? "governed" : "open");
            if (whyNot is not null)
            {
                writer.WriteString("detail", whyNot);
            }

            writer.WriteStartArray("sets");
            foreach (var set in pool?.Sets ?? [])
            {
                writer.WriteStartObject();
                writer.WriteString("name", set.Name);
                writer.WriteString("state", set.Promoted is null ? "staged" : "promoted");
                writer.WriteNumber("rims", set.Rims.Count);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter writer, HeldItem item)
    {
        writer.WriteStartObject();
        writer.WriteString("kind", CollateralKinds.NameOf(item.Key.Kind));
        writer.WriteString("id", item.Key.Id);
        writer.WriteString("source", item.Source);
        writer.WriteString("fetched", Text(item.Fetched));
        writer.WriteString("freshUntil", Text(item.FreshUntil));
        writer.WriteString("validUntil", Text(item.ValidUntil));
        writer.WriteString("signersUntil", Text(item.SignersUntil));
        if (item.WhyNot is { } whyNot)
        {
            writer.WriteString("lastFailure", whyNot);
        }

        writer.WriteEndObject();
    }

    private static Task TextAsync(HttpContext context, byte[] text, string type = "text/plain; charset=utf-8")
    {
        context.Response.ContentType = type;
        return ItemAnswers.WriteAsync(context, text);
    }

    private static string Text(DateTimeOffset time) => Utc.Text(time);
}

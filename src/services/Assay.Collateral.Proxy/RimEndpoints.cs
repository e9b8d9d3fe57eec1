using System.Buffers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using Assay.Collateral.Cache;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Reference;
using Assay.Wire;
using Microsoft.AspNetCore.Http;

namespace Assay.Collateral.Proxy;

/// <summary>NVIDIA's RIM service: <c>GET /v1/rim/{id}</c> and <c>GET /v1/rim/ids</c>.</summary>
internal sealed class RimEndpoints(ItemAnswers answers, CollateralCache cache, HttpUpstream? upstream, TimeProvider time)
{
    private const string Json = "application/json";
    private const string PoolHeader = "x-assay-pool";
    private const string RequestId = "00000000-0000-0000-0000-000000000000";

    private static readonly TimeSpan s_listLife = TimeSpan.FromMinutes(10);
    // The service does not escape the "+" of base64, and some clients do not unescape.
    private static readonly JsonWriterOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    // Made once for each item that is in memory, and let go with it.
    private readonly ConditionalWeakTable<KeptItem, byte[]> _bodies = [];
    private int _isListing;
    private (DateTimeOffset Until, IReadOnlyCollection<string> Ids) _listed = (DateTimeOffset.MinValue, []);

    public Task GetAsync(HttpContext context, string id)
    {
        if (!RimIds.IsSafe(id))
        {
            return Refusal.BadRequestAsync(context, "the id has characters that no RIM id has");
        }

        if (cache.Pools.WhyNot(ProxyListeners.PoolOf(context), id) is { } denied)
        {
            context.Response.Headers[PoolHeader] = $"refused; reason={denied}";
            return WithheldAsync(context, denied);
        }

        return AnswerAsync(context, new CollateralKey(CollateralKind.Rim, id));
    }

    private async Task AnswerAsync(HttpContext context, CollateralKey key)
    {
        var answer = await cache.GetAsync(key, context.RequestAborted).ConfigureAwait(false);
        if (answer.Failure is CacheFailure.Absent)
        {
            await NotFoundAsync(context).ConfigureAwait(false);
            return;
        }

        if (answer.Item is not { } item)
        {
            await ItemAnswers.RefuseAsync(context, answer).ConfigureAwait(false);
            return;
        }

        context.Response.ContentType = Json;
        answers.AddAge(context, answer);
        var fetched = answer.Fetched;
        await ItemAnswers.WriteAsync(context, _bodies.GetValue(item, one => Body(one, fetched))).ConfigureAwait(false);
    }

    // NVIDIA's clients tell by this text that there is none.
    private static Task NotFoundAsync(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status404NotFound;
        context.Response.ContentType = Json;
        return ItemAnswers.WriteAsync(context, """{"message":"RIM_NOT_FOUND"}"""u8.ToArray());
    }

    // A problem for those who read one, with the member by which NVIDIA's clients tell that they get none.
    private static Task WithheldAsync(HttpContext context, string denied)
    {
        context.Response.StatusCode = StatusCodes.Status404NotFound;
        context.Response.ContentType = ProblemWriter.ContentType;
        return ItemAnswers.WriteAsync(context, Write(writer =>
        {
            writer.WriteString("type", ProblemWriter.TypePrefix + Refusal.Withheld);
            writer.WriteString("title", $"the RIM is withheld: it is {denied}");
            writer.WriteNumber("status", StatusCodes.Status404NotFound);
            writer.WriteString("message", "RIM_NOT_FOUND");
        }));
    }

    /// <summary>What is held, and what the upstream lists: a hint for people, unsigned, and asked for at most every ten minutes.</summary>
    public async Task ListAsync(HttpContext context)
    {
        var now = time.GetUtcNow();
        if (upstream is not null && now >= _listed.Until && Interlocked.CompareExchange(ref _isListing, 1, 0) == 0)
        {
            try
            {
                _listed = (now + s_listLife, await upstream.ListRimsAsync(context.RequestAborted).ConfigureAwait(false));
            }
            finally
            {
                Volatile.Write(ref _isListing, 0);
            }
        }

        var view = ProxyListeners.PoolOf(context);
        var ids = cache.Held().Where(item => item.Key.Kind is CollateralKind.Rim).Select(item => item.Key.Id).Concat(_listed.Ids).Concat(cache.Pools.NamedFor(view)).Where(id => cache.Pools.Serves(view, id)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);
        context.Response.ContentType = Json;
        await ItemAnswers.WriteAsync(context, Write(writer =>
        {
            writer.WriteStartArray("ids");
            foreach (var id in ids)
            {
                writer.WriteStringValue(id);
            }

            writer.WriteEndArray();
            writer.WriteString("request_id", RequestId);
            writer.WriteString("last_updated", Text(now));
        })).ConfigureAwait(false);
    }

    private static byte[] Body(KeptItem item, DateTimeOffset fetched) => Write(writer =>
    {
        writer.WriteString("id", item.Key.Id);
        writer.WriteString("rim", Convert.ToBase64String(item.Body.Span));
        writer.WriteString("sha256", Convert.ToHexStringLower(SHA256.HashData(item.Body.Span)));
        writer.WriteString("last_updated", Text(fetched));
        writer.WriteString("rim_format", "TCG");
        writer.WriteString("request_id", RequestId);
    });

    private static byte[] Write(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, s_json))
        {
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static string Text(DateTimeOffset time) => Utc.Text(time);
}

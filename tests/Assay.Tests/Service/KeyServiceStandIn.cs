using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Tests.Collateral;
using Microsoft.AspNetCore.Http;

namespace Assay.Tests.Service;

/// <summary>
/// A server on loopback that answers as a key management service documents, and accepts nothing but the documented requests: each departure is kept in
/// <see cref="Departures"/>, and the caller gets an error. No real service was asked.
/// </summary>
internal abstract class KeyServiceStandIn : IAsyncDisposable
{
    private Loopback? _server;

    /// <summary>What requests had that is not documented, or did not have that is.</summary>
    public ConcurrentQueue<string> Departures { get; } = new();

    /// <summary>The operations that were asked for, the last part of their names.</summary>
    public ConcurrentQueue<string> Asked { get; } = new();

    /// <summary>Whether it ends each connection without an answer.</summary>
    public bool IsDown { get; set; }

    /// <summary>Answers in place of the genuine answer, which is given; false: the genuine one goes out.</summary>
    public Func<HttpContext, string, JsonObject, Task<bool>>? Instead { get; set; }

    public string Address => _server!.Text;

    protected async Task ListenAsync() => _server = await Loopback.StartAsync(HandleAsync);

    public ValueTask DisposeAsync() => _server?.DisposeAsync() ?? ValueTask.CompletedTask;

    /// <summary>A status and a document.</summary>
    public static async Task AnswerAsync(HttpContext context, int status, JsonNode body, string type = "application/json")
    {
        (context.Response.StatusCode, context.Response.ContentType) = (status, type);
        await context.Response.WriteAsync(body.ToJsonString(), context.RequestAborted);
    }

    /// <summary>The genuine answer, or a departure by exception.</summary>
    protected abstract Task<(string Operation, int Status, JsonObject Body)> AnswerAsync(HttpRequest request, byte[] body);

    /// <summary>The answer to a request that is not as documented.</summary>
    protected abstract (int Status, JsonObject Body) Refusal { get; }

    /// <summary>The media type of answers.</summary>
    protected abstract string MediaType { get; }

    protected static void Require(bool holds, string departure)
    {
        if (!holds)
        {
            throw new InvalidDataException(departure);
        }
    }

    /// <summary>Exactly these members, each of the kind.</summary>
    protected static JsonElement Members(byte[] body, params string[] names)
    {
        var root = JsonDocument.Parse(body, new JsonDocumentOptions { AllowDuplicateProperties = false }).RootElement;
        Require(root.EnumerateObject().Select(member => member.Name).Order(StringComparer.Ordinal).SequenceEqual(names.Order(StringComparer.Ordinal), StringComparer.Ordinal), $"members: {root}");
        return root;
    }

    /// <summary>Bytes in the one form of base64.</summary>
    protected static byte[] Bytes(JsonElement element)
    {
        var text = element.GetString()!;
        var bytes = Convert.FromBase64String(text);
        Require(Convert.ToBase64String(bytes) == text, "base64 in another form");
        return bytes;
    }

    private async Task HandleAsync(HttpContext context)
    {
        if (IsDown)
        {
            context.Abort();
            return;
        }

        using var stream = new MemoryStream();
        await context.Request.Body.CopyToAsync(stream, context.RequestAborted);
        try
        {
            var (operation, status, answer) = await AnswerAsync(context.Request, stream.ToArray());
            Asked.Enqueue(operation);
            if (Instead is null || !await Instead(context, operation, answer))
            {
                await AnswerAsync(context, status, answer, MediaType);
            }
        }
        catch (Exception exception) when (exception is InvalidDataException or JsonException or FormatException or InvalidOperationException or KeyNotFoundException)
        {
            Departures.Enqueue($"{context.Request.Method} {context.Request.Path}: {exception.Message} in {Encoding.UTF8.GetString(stream.ToArray())}");
            await AnswerAsync(context, Refusal.Status, Refusal.Body, MediaType);
        }
    }
}

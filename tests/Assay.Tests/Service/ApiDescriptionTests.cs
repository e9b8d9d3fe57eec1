using System.Text.Json;
using Assay.Service.Identity;

namespace Assay.Tests.Service;

/// <summary>The OpenAPI document against what the service answers.</summary>
public sealed class ApiDescriptionTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_answer_has_the_status_and_the_form_that_the_document_states()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        var document = (await world.GetAsync("/openapi/v1.json", "")).Body;
        var challenge = await AskAsync(world, document, HttpMethod.Post, "/v1/challenges", "{}");
        var evidence = await machine.EvidenceAsync(challenge.GetProperty("nonce").GetString()!);
        var passed = await AskAsync(world, document, HttpMethod.Post, "/v1/appraisals", $$"""{"challenge":"{{challenge.GetProperty("id").GetString()}}","audience":"{{ServiceWorld.Audience}}","evidence":{{evidence}}}""");
        var id = passed.GetProperty("id").GetString()!;

        await AskAsync(world, document, HttpMethod.Get, "/v1/appraisals", null);
        await AskAsync(world, document, HttpMethod.Get, "/v1/appraisals/{id}", null, id: id);
        await AskAsync(world, document, HttpMethod.Get, "/v1/policies", null);
        await AskAsync(world, document, HttpMethod.Get, "/v1/policies/{id}", null, id: ServiceWorld.PolicyId);
        await AskAsync(world, document, HttpMethod.Get, "/v1/api-keys", null);
        await AskAsync(world, document, HttpMethod.Post, "/v1/api-keys", $$"""{"name":"described","scopes":["{{Scopes.Read}}"]}""");
        await AskAsync(world, document, HttpMethod.Get, "/v1/audit", null);
        await AskAsync(world, document, HttpMethod.Get, "/v1/audit/verify", null, world.OperatorKey);
        await AskAsync(world, document, HttpMethod.Get, "/v1/tenants", null, world.OperatorKey);
        await AskAsync(world, document, HttpMethod.Get, "/v1/revoked-tokens", null);
        await AskAsync(world, document, HttpMethod.Get, "/.well-known/openid-configuration", null, "");
        await AskAsync(world, document, HttpMethod.Get, "/.well-known/jwks.json", null, "");
        await AskAsync(world, document, HttpMethod.Get, "/v1/tpm/endorsement-keys", null);
        await AskAsync(world, document, HttpMethod.Get, "/v1/tpm/attestation-keys", null);
        await AskAsync(world, document, HttpMethod.Post, "/v1/signing-keys/rotate", """{"algorithm":"ES256"}""", world.OperatorKey);
    }

    private static async Task<JsonElement> AskAsync(ServiceWorld world, JsonElement document, HttpMethod method, string path, string? body, string? key = null, string id = "")
    {
        var answer = await world.SendAsync(method, path.Replace("{id}", id, StringComparison.Ordinal), body, key);
        Assert.True(answer.Status < 300, $"{method} {path}: {answer.Status} {answer.Body}");
        var responses = document.GetProperty("paths").GetProperty(path).GetProperty(method.Method.ToLowerInvariant()).GetProperty("responses");
        Assert.True(responses.TryGetProperty(answer.Status.ToString(System.Globalization.CultureInfo.InvariantCulture), out var response), $"{method} {path}: {answer.Status} is not in the document");
        if (answer.Body.ValueKind is not JsonValueKind.Undefined && response.TryGetProperty("content", out var content))
        {
            Conform(document, content.GetProperty("application/json").TryGetProperty("schema", out var schema) ? schema : default, answer.Body, $"{method} {path}");
        }

        return answer.Body;
    }

    // What of JSON Schema the document uses: references, types, members, items.
    private static void Conform(JsonElement document, JsonElement schema, JsonElement value, string at)
    {
        if (schema.ValueKind is not JsonValueKind.Object)
        {
            return;
        }

        if (schema.TryGetProperty("$ref", out var reference))
        {
            Conform(document, document.GetProperty("components").GetProperty("schemas").GetProperty(reference.GetString()!.Split('/')[^1]), value, at);
            return;
        }

        if (schema.TryGetProperty("oneOf", out var choices))
        {
            Conform(document, value.ValueKind is JsonValueKind.Null ? default : choices.EnumerateArray().First(choice => !(choice.TryGetProperty("type", out var type) && type.ValueEquals("null"))), value, at);
            return;
        }

        if (schema.TryGetProperty("type", out var types))
        {
            var names = types.ValueKind is JsonValueKind.Array ? types.EnumerateArray().Select(name => name.GetString()!).ToArray() : [types.GetString()!];
            Assert.True(names.Any(name => IsOf(name, value)), $"{at}: {string.Join(" or ", names)} is stated, {value.ValueKind} is answered");
        }

        foreach (var name in schema.TryGetProperty("required", out var required) && value.ValueKind is JsonValueKind.Object ? required.EnumerateArray().Select(name => name.GetString()!) : [])
        {
            Assert.True(value.TryGetProperty(name, out _), $"{at}: {name} is stated as required, and not answered");
        }

        if (value.ValueKind is JsonValueKind.Object && schema.TryGetProperty("properties", out var members))
        {
            foreach (var member in value.EnumerateObject())
            {
                Assert.True(members.TryGetProperty(member.Name, out var stated), $"{at}: {member.Name} is answered, and not stated");
                Conform(document, stated, member.Value, $"{at}.{member.Name}");
            }
        }

        foreach (var item in value.ValueKind is JsonValueKind.Array && schema.TryGetProperty("items", out var items) ? value.EnumerateArray().Select(item => (items, item)) : [])
        {
            Conform(document, item.items, item.item, $"{at}[]");
        }
    }

    private static bool IsOf(string type, JsonElement value) => type switch
    {
        "null" => value.ValueKind is JsonValueKind.Null,
        "object" => value.ValueKind is JsonValueKind.Object,
        "array" => value.ValueKind is JsonValueKind.Array,
        "string" => value.ValueKind is JsonValueKind.String,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "integer" => value.ValueKind is JsonValueKind.Number && value.TryGetInt64(out _),
        "number" => value.ValueKind is JsonValueKind.Number,
        _ => false,
    };
}

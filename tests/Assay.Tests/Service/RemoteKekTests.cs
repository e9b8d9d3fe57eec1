using System.Text;
using System.Text.Json.Nodes;
using Assay.Service;
using Assay.Service.Keys;
using Microsoft.AspNetCore.Http;

namespace Assay.Tests.Service;

/// <summary>AWS KMS and Vault that answer otherwise than they should: what is believed, what is said, and where nothing goes.</summary>
public sealed class RemoteKekTests : RemoteKekWorld
{
    public static TheoryData<string> BackEnds => ["awsKms", "vault"];

    [Fact]
    public async Task The_doubles_refuse_what_is_not_documented()
    {
        // A double that takes everything proves nothing: each of these has one departure.
        Departs = true;
        using var http = new HttpClient();
        async Task<int> SentAsync(string url, string body, string type, params (string Name, string Value)[] headers)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) };
            request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
            foreach (var (name, value) in headers)
            {
                request.Headers.TryAddWithoutValidation(name, value);
            }

            using var answer = await http.SendAsync(request, Cancellation);
            return (int)answer.StatusCode;
        }

        var (key, token) = (Vault.CreateKey(), Vault.CreateToken());
        var url = $"{Vault.Address}/v1/transit/encrypt/{key}";
        const string good = """{"plaintext":"AAAA","associated_data":"AAAA"}""";
        Assert.Equal(200, await SentAsync(url, good, "application/json", ("X-Vault-Token", token), ("X-Vault-Request", "true")));
        Assert.Equal(400, await SentAsync(url, good, "application/json", ("X-Vault-Token", token)));
        Assert.Equal(403, await SentAsync(url, good, "application/json", ("X-Vault-Token", "hvs.other"), ("X-Vault-Request", "true")));
        Assert.Equal(400, await SentAsync(url, """{"plaintext":"AAAA"}""", "application/json", ("X-Vault-Token", token), ("X-Vault-Request", "true")));
        Assert.Equal(400, await SentAsync(url, good, "text/plain", ("X-Vault-Token", token), ("X-Vault-Request", "true")));
        Assert.Equal(400, await SentAsync(url.Replace("encrypt", "datakey", StringComparison.Ordinal), good, "application/json", ("X-Vault-Token", token), ("X-Vault-Request", "true")));
        Assert.Equal(4, Vault.Departures.Count);
        Assert.Equal(400, await SentAsync(Kms.Address, "{}", "application/x-amz-json-1.1", ("X-Amz-Target", "TrentService.Encrypt")));
        Assert.Single(Kms.Departures);

        // A signature under another secret is one more.
        var terms = Kms.Terms(Kms.CreateKey(), Folder);
        var text = await File.ReadAllTextAsync(terms.Credentials!, Cancellation);
        await File.WriteAllTextAsync(terms.Credentials!, text.Replace(AwsKmsStandIn.SecretKey, "another", StringComparison.Ordinal), Cancellation);
        await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { AwsKms = terms }));
        Assert.Contains(Kms.Departures, departure => departure.Contains("another signature", StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(BackEnds))]
    public async Task A_plaintext_of_another_length_or_of_another_context_is_not_taken_for_a_key(string kind)
    {
        using var kek = await OpenAsync(Terms(kind));
        var wrapped = await kek.WrapAsync(new byte[32], "x", Cancellation);
        var probe = new byte[64];
        var honest = true;
        Double(kind).Instead = async (context, operation, answer) =>
        {
            // The probe is answered as it was, so that it is no outage.
            if (operation != "decrypt" && operation != "Decrypt" || honest)
            {
                return false;
            }

            Plaintext(kind, answer, Convert.ToBase64String(probe));
            await KeyServiceStandIn.AnswerAsync(context, 200, answer);
            return true;
        };
        Assert.Equal(new byte[32], await kek.UnwrapAsync(wrapped, "x", Cancellation));

        honest = false;
        foreach (var length in (int[])[0, 1, 31, 32, 33, 63, 64, 65, 1000])
        {
            probe = new byte[length];
            Assert.True(await RefusedAsync(kek, wrapped, "x"), $"{length} bytes");
        }
    }

    [Theory]
    [InlineData("awsKms", "AA=")]
    [InlineData("awsKms", "not base64")]
    [InlineData("vault", "AA=")]
    [InlineData("vault", "AB==")]
    [InlineData("vault", " AAAA")]
    [InlineData("vault", null)]
    public async Task Base64_of_another_form_is_an_answer_of_no_worth(string kind, string? text)
    {
        using var kek = await OpenAsync(Terms(kind));
        var wrapped = await kek.WrapAsync(new byte[32], "x", Cancellation);
        Double(kind).Instead = async (context, operation, answer) =>
        {
            Plaintext(kind, answer, text);
            await KeyServiceStandIn.AnswerAsync(context, 200, answer);
            return true;
        };

        Assert.True(await RefusedAsync(kek, wrapped, "x"));
    }

    [Theory]
    [MemberData(nameof(BackEnds))]
    public async Task An_answer_without_end_a_redirect_or_none_at_all_is_an_outage_and_nothing_goes_to_another_host(string kind)
    {
        await using var elsewhere = await Collateral.Loopback.StartAsync(context => context.Response.WriteAsync("{}"));
        using var kek = await OpenAsync(Terms(kind), TimeSpan.FromSeconds(5));
        var wrapped = await kek.WrapAsync(new byte[32], "x", Cancellation);
        var answers = new Dictionary<string, Func<HttpContext, string, JsonObject, Task<bool>>>(StringComparer.Ordinal)
        {
            ["endless"] = async (context, _, _) =>
            {
                context.Response.ContentType = "application/json";
                await context.Response.WriteAsync("{\"padding\":\"", context.RequestAborted);
                var part = new string('x', 16 * 1024);
                for (var count = 0; count < 4096; count++)
                {
                    await context.Response.WriteAsync(part, context.RequestAborted);
                }

                return true;
            },
            ["307"] = (context, _, _) => RedirectAsync(context, 307, elsewhere.Text),
            ["308"] = (context, _, _) => RedirectAsync(context, 308, elsewhere.Text),
            ["301"] = (context, _, _) => RedirectAsync(context, 301, elsewhere.Text),
            ["slow"] = async (context, _, _) =>
            {
                await Task.Delay(TimeSpan.FromMinutes(5), context.RequestAborted);
                return true;
            },
            ["empty"] = (context, _, _) => StatusAsync(context, 200),
            ["500"] = (context, _, _) => StatusAsync(context, 500),
            ["502"] = (context, _, _) => StatusAsync(context, 502),
            ["503"] = (context, _, _) => StatusAsync(context, 503),
            ["429"] = (context, _, _) => StatusAsync(context, 429),
            ["null"] = async (context, _, _) =>
            {
                await context.Response.WriteAsync("null", context.RequestAborted);
                return true;
            },
            ["array"] = async (context, _, _) =>
            {
                await context.Response.WriteAsync("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", context.RequestAborted);
                return true;
            },
        };
        foreach (var (name, instead) in answers)
        {
            Double(kind).Instead = instead;
            var fault = await Assert.ThrowsAsync<ServiceException>(() => kek.UnwrapAsync(wrapped, "x", Cancellation));
            Assert.True(fault.Id == Outage, $"{name}: {fault.Id}");
            Assert.Equal(Outage, (await Assert.ThrowsAsync<ServiceException>(() => kek.WrapAsync(new byte[32], "x", Cancellation))).Id);
        }

        Double(kind).Instead = null;
        Assert.Equal(new byte[32], await kek.UnwrapAsync(wrapped, "x", Cancellation));
        Assert.Empty(elsewhere.Requests);
    }

    [Theory]
    [MemberData(nameof(BackEnds))]
    public async Task A_service_that_ignores_the_context_is_not_used_and_one_that_begins_to_has_no_two_keys_swapped(string kind)
    {
        using var kek = await OpenAsync(Terms(kind));
        Ignore(true);
        var (one, other) = (await kek.WrapAsync(Bytes(1), "secret/one", Cancellation), await kek.WrapAsync(Bytes(2), "secret/other", Cancellation));

        Assert.Equal(Bytes(1), await kek.UnwrapAsync(one, "secret/one", Cancellation));
        Assert.True(await RefusedAsync(kek, other, "secret/one"));
        Assert.True(await RefusedAsync(kek, one, "secret/other"));
        var fault = await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(Terms(kind)));
        Assert.Equal(FaultOf(kind), fault.Id);
        Assert.Contains("another context", fault.Message, StringComparison.Ordinal);

        void Ignore(bool ignores) => (Kms.IgnoresContext, Vault.IgnoresAssociatedData) = (ignores, ignores);
    }

    [Theory]
    [MemberData(nameof(BackEnds))]
    public async Task An_answer_that_is_cut_or_repeats_the_key_is_in_no_message(string kind)
    {
        using var kek = await OpenAsync(Terms(kind));
        var wrapped = await kek.WrapAsync(Bytes(7), "x", Cancellation);
        foreach (var status in (int[])[200, 400, 403, 500])
        {
            foreach (var form in (string[])["""{"Plaintext":"KEY","data":{"plaintext":"KEY""", """{"__type":"SomeException","message":"KEY","errors":["KEY"]}""", "KEY"])
            {
                Double(kind).Instead = async (context, _, _) =>
                {
                    context.Response.StatusCode = status;
                    await context.Response.WriteAsync(form.Replace("KEY", "c2VjcmV0LWtleQ", StringComparison.Ordinal), context.RequestAborted);
                    return true;
                };
                var fault = await Assert.ThrowsAsync<ServiceException>(() => kek.UnwrapAsync(wrapped, "x", Cancellation));
                Assert.Equal(Outage, fault.Id);
                Assert.DoesNotContain("c2VjcmV0LWtleQ", fault.ToString(), StringComparison.Ordinal);
            }
        }
    }
}

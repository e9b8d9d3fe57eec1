using System.Text;
using System.Text.Json.Nodes;
using Assay.Service;
using Assay.Service.Keys;
using Assay.Service.Keys.Aws;
using Assay.Service.Keys.Remote;
using Assay.Service.Keys.Vault;
using Microsoft.AspNetCore.Http;

namespace Assay.Tests.Service;

/// <summary>AWS KMS and Vault that answer otherwise than they should, or refuse: what is believed, what is said, and where nothing goes.</summary>
public sealed class RemoteKekTests : IAsyncLifetime
{
    private const string Outage = KeyEncryptionKey.Unavailable;

    private static readonly TimeSpan s_short = TimeSpan.FromSeconds(2);

    private readonly string _folder = Directory.CreateTempSubdirectory("assay-kek-").FullName;
    private AwsKmsStandIn _kms = null!;
    private VaultStandIn _vault = null!;
    private bool _departs;

    public static TheoryData<string> BackEnds => ["awsKms", "vault"];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => (_kms, _vault) = (await AwsKmsStandIn.StartAsync(), await VaultStandIn.StartAsync());

    public async ValueTask DisposeAsync()
    {
        Assert.True(_departs || (_kms.Departures.IsEmpty && _vault.Departures.IsEmpty), string.Join('\n', _kms.Departures.Concat(_vault.Departures)));
        await _kms.DisposeAsync();
        await _vault.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task The_doubles_refuse_what_is_not_documented()
    {
        // A double that takes everything proves nothing: each of these has one departure.
        _departs = true;
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

        var (key, token) = (_vault.CreateKey(), _vault.CreateToken());
        var url = $"{_vault.Address}/v1/transit/encrypt/{key}";
        const string good = """{"plaintext":"AAAA","associated_data":"AAAA"}""";
        Assert.Equal(200, await SentAsync(url, good, "application/json", ("X-Vault-Token", token), ("X-Vault-Request", "true")));
        Assert.Equal(400, await SentAsync(url, good, "application/json", ("X-Vault-Token", token)));
        Assert.Equal(403, await SentAsync(url, good, "application/json", ("X-Vault-Token", "hvs.other"), ("X-Vault-Request", "true")));
        Assert.Equal(400, await SentAsync(url, """{"plaintext":"AAAA"}""", "application/json", ("X-Vault-Token", token), ("X-Vault-Request", "true")));
        Assert.Equal(400, await SentAsync(url, good, "text/plain", ("X-Vault-Token", token), ("X-Vault-Request", "true")));
        Assert.Equal(400, await SentAsync(url.Replace("encrypt", "datakey", StringComparison.Ordinal), good, "application/json", ("X-Vault-Token", token), ("X-Vault-Request", "true")));
        Assert.Equal(4, _vault.Departures.Count);
        Assert.Equal(400, await SentAsync(_kms.Address, "{}", "application/x-amz-json-1.1", ("X-Amz-Target", "TrentService.Encrypt")));
        Assert.Single(_kms.Departures);

        // A signature under another secret is one more.
        var terms = _kms.Terms(_kms.CreateKey(), _folder);
        var text = await File.ReadAllTextAsync(terms.Credentials!, Cancellation);
        await File.WriteAllTextAsync(terms.Credentials!, text.Replace(AwsKmsStandIn.SecretKey, "another", StringComparison.Ordinal), Cancellation);
        await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { AwsKms = terms }));
        Assert.Contains(_kms.Departures, departure => departure.Contains("another signature", StringComparison.Ordinal));
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
        using var kek = await OpenAsync(Terms(kind));
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

        void Ignore(bool ignores) => (_kms.IgnoresContext, _vault.IgnoresAssociatedData) = (ignores, ignores);
    }

    [Fact]
    public async Task KMS_that_answers_for_another_key_is_not_believed()
    {
        var (mine, thiefs) = (_kms.CreateKey(), _kms.CreateKey());
        using var kek = await OpenAsync(new KekTerms { AwsKms = _kms.Terms(mine, _folder) });
        var wrapped = await kek.WrapAsync(new byte[32], "x", Cancellation);
        foreach (var other in (string?[])[thiefs, mine.ToUpperInvariant(), mine + " ", mine[(mine.LastIndexOf('/') + 1)..], "", null])
        {
            _kms.Instead = async (context, _, answer) =>
            {
                answer["KeyId"] = other;
                await KeyServiceStandIn.AnswerAsync(context, 200, answer, "application/x-amz-json-1.1");
                return true;
            };
            Assert.Contains("it answers for the key", (await Assert.ThrowsAsync<ServiceException>(() => kek.UnwrapAsync(wrapped, "x", Cancellation))).Message, StringComparison.Ordinal);
            Assert.Equal(Outage, (await Assert.ThrowsAsync<ServiceException>(() => kek.WrapAsync(new byte[32], "x", Cancellation))).Id);
            Assert.Equal("service.kek.awskms", (await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { AwsKms = _kms.Terms(mine, _folder) }))).Id);
        }
    }

    [Theory]
    [InlineData(400, "AccessDeniedException", "service.kek.awskms")]
    [InlineData(400, "NotFoundException", "service.kek.awskms")]
    [InlineData(400, "DisabledException", "service.kek.awskms")]
    [InlineData(400, "KMSInvalidStateException", "service.kek.awskms")]
    [InlineData(403, "UnrecognizedClientException", "service.kek.awskms")]
    [InlineData(400, "ExpiredTokenException", "service.kek.awskms")]
    [InlineData(400, "ThrottlingException", Outage)]
    [InlineData(400, "LimitExceededException", Outage)]
    [InlineData(500, "KMSInternalException", Outage)]
    [InlineData(503, "DependencyTimeoutException", Outage)]
    [InlineData(500, "KeyUnavailableException", Outage)]
    public async Task What_KMS_refuses_is_told_at_the_start_and_never_taken_for_a_changed_key_later(int status, string code, string expected)
    {
        var terms = new KekTerms { AwsKms = _kms.Terms(_kms.CreateKey(), _folder) };
        using var kek = await OpenAsync(terms);
        var wrapped = await kek.WrapAsync(new byte[32], "x", Cancellation);
        var before = _kms.Asked.Count;

        _kms.Refusing = (status, code);

        var later = await Assert.ThrowsAsync<ServiceException>(() => kek.UnwrapAsync(wrapped, "x", Cancellation));
        Assert.Equal(Outage, later.Id);
        Assert.Contains(code, later.Message, StringComparison.Ordinal);
        Assert.InRange(_kms.Asked.Count - before, 1, 3);
        Assert.Equal(expected, (await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(terms))).Id);
        _kms.Refusing = null;
        Assert.Equal(new byte[32], await kek.UnwrapAsync(wrapped, "x", Cancellation));
    }

    [Fact]
    public async Task Credentials_of_KMS_are_read_for_each_request_from_a_file_that_others_cannot_read_and_that_says_nothing_else()
    {
        _kms.SessionToken = "session-one";
        var terms = _kms.Terms(_kms.CreateKey(), _folder);
        using var kek = await OpenAsync(new KekTerms { AwsKms = terms });
        _kms.SessionToken = "session-two";
        File.Copy(_kms.Terms(terms.Key, _folder).Credentials!, terms.Credentials!, overwrite: true);
        Assert.True((await kek.WrapAsync(new byte[32], "x", Cancellation)).Length > 0);

        var good = await File.ReadAllTextAsync(terms.Credentials!, Cancellation);
        foreach (var text in (string[])["", "[other]\n" + good, good + good, good + "credential_process = /bin/sh\n", good + "source_profile = x\n", "[default]\naws_access_key_id = x\n", good.Replace("[default]", "", StringComparison.Ordinal)])
        {
            await File.WriteAllTextAsync(terms.Credentials!, text, Cancellation);
            var fault = await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { AwsKms = terms }));
            Assert.Equal("service.kek.awskms", fault.Id);
            Assert.Contains("kek.awsKms.credentials", fault.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(AwsKmsStandIn.SecretKey, fault.ToString(), StringComparison.Ordinal);
        }

        await File.WriteAllTextAsync(terms.Credentials!, good, Cancellation);
        File.SetUnixFileMode(terms.Credentials!, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Assert.Contains("chmod 600", (await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { AwsKms = terms }))).Message, StringComparison.Ordinal);
        Assert.Equal(Outage, (await Assert.ThrowsAsync<ServiceException>(() => kek.WrapAsync(new byte[32], "x", Cancellation))).Id);
    }

    [Fact]
    public void Replicas_of_a_multi_Region_key_are_one_key_and_all_other_ARNs_are_their_own()
    {
        static string Of(string arn) => AwsKeyArn.TryParse(arn, out var parsed) ? parsed.Identity : throw new ArgumentException(arn);
        const string multi = "key/mrk-0123456789abcdef0123456789abcdef", single = "key/01234567-89ab-cdef-0123-456789abcdef";

        Assert.Equal(Of($"arn:aws:kms:eu-central-1:111122223333:{multi}"), Of($"arn:aws:kms:us-east-1:111122223333:{multi}"));
        Assert.NotEqual(Of($"arn:aws:kms:eu-central-1:111122223333:{multi}"), Of($"arn:aws:kms:us-east-1:111122223334:{multi}"));
        Assert.NotEqual(Of($"arn:aws:kms:eu-central-1:111122223333:{single}"), Of($"arn:aws:kms:us-east-1:111122223333:{single}"));
        Assert.True(AwsKeyArn.TryParse($"arn:aws-us-gov:kms:us-gov-west-1:111122223333:{single}", out var gov) && gov.Region == "us-gov-west-1");
    }

    [Theory]
    [InlineData("vault:v1", "vault:v01")]
    [InlineData("vault:v1", "vault:v0")]
    [InlineData("vault:v1", "vault:v-1")]
    [InlineData("vault:v1", "vault:v9999999999")]
    [InlineData("vault:v1", "Vault:v1")]
    [InlineData("vault:v1:", "vault:v1: ")]
    [InlineData("=", "")]
    [InlineData("=", "==")]
    [InlineData("=", "=\n")]
    public async Task A_ciphertext_of_Vault_has_one_form_and_another_one_is_not_asked_about(string found, string put)
    {
        using var kek = await OpenAsync(Terms("vault"));
        var text = Encoding.ASCII.GetString(await kek.WrapAsync(new byte[32], "x", Cancellation));
        Assert.Matches("^vault:v1:[A-Za-z0-9+/]{123}=$", text);
        var before = _vault.Asked.Count(operation => operation == "decrypt");

        var changed = text.Replace(found, put, StringComparison.Ordinal);

        Assert.NotEqual(text, changed);
        Assert.True(await RefusedAsync(kek, Encoding.ASCII.GetBytes(changed), "x"));
        // One question: whether what it wrapped at the start opens.
        Assert.Equal(before + 1, _vault.Asked.Count(operation => operation == "decrypt"));
    }

    [Fact]
    public async Task A_last_character_whose_unused_bits_are_set_is_no_second_name_of_a_ciphertext()
    {
        using var kek = await OpenAsync(Terms("vault"));
        var wrapped = await kek.WrapAsync(new byte[32], "x", Cancellation);
        const string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        wrapped[^2] = (byte)alphabet[alphabet.IndexOf((char)wrapped[^2], StringComparison.Ordinal) | 1];

        Assert.True(await RefusedAsync(kek, wrapped, "x"));
    }

    [Fact]
    public async Task After_a_rotation_in_Vault_old_and_new_versions_open()
    {
        var key = _vault.CreateKey();
        using var kek = await OpenAsync(new KekTerms { Vault = _vault.Terms(key, _folder) });
        var old = await kek.WrapAsync(Bytes(1), "x", Cancellation);
        _vault.Rotate(key);
        var next = await kek.WrapAsync(Bytes(2), "x", Cancellation);

        Assert.StartsWith("vault:v2:", Encoding.ASCII.GetString(next), StringComparison.Ordinal);
        Assert.Equal(Bytes(1), await kek.UnwrapAsync(old, "x", Cancellation));
        Assert.Equal(Bytes(2), await kek.UnwrapAsync(next, "x", Cancellation));
    }

    [Theory]
    [InlineData(403, "permission denied", "service.kek.vault")]
    [InlineData(404, "", "service.kek.vault")]
    [InlineData(400, "encryption key not found", "service.kek.vault")]
    [InlineData(412, "required index state not present", Outage)]
    [InlineData(429, "rate limited", Outage)]
    [InlineData(472, "", Outage)]
    [InlineData(473, "", Outage)]
    [InlineData(500, "internal error", Outage)]
    [InlineData(503, "Vault is sealed", Outage)]
    public async Task What_Vault_refuses_is_told_at_the_start_and_never_taken_for_a_changed_key_later(int status, string error, string expected)
    {
        var terms = Terms("vault");
        using var kek = await OpenAsync(terms);
        var wrapped = await kek.WrapAsync(new byte[32], "x", Cancellation);

        _vault.Refusing = (status, error);

        Assert.Equal(Outage, (await Assert.ThrowsAsync<ServiceException>(() => kek.UnwrapAsync(wrapped, "x", Cancellation))).Id);
        Assert.Equal(Outage, (await Assert.ThrowsAsync<ServiceException>(() => kek.WrapAsync(new byte[32], "x", Cancellation))).Id);
        var start = await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(terms));
        Assert.Equal(expected, start.Id);
        Assert.Contains(expected == Outage ? $"{status}" : error, start.Message, StringComparison.Ordinal);
        _vault.Refusing = null;
        Assert.Equal(new byte[32], await kek.UnwrapAsync(wrapped, "x", Cancellation));
    }

    [Fact]
    public async Task What_cannot_be_answered_just_now_is_asked_twice_more()
    {
        using var kek = await OpenAsync(Terms("vault"));
        var left = 2;
        _vault.Instead = (context, _, _) => left-- > 0 ? StatusAsync(context, 412) : Task.FromResult(false);

        Assert.Equal(new byte[32], await kek.UnwrapAsync(await kek.WrapAsync(new byte[32], "x", Cancellation), "x", Cancellation));
    }

    [Fact]
    public async Task A_token_that_ended_is_replaced_by_what_the_file_holds_then_or_by_a_new_login()
    {
        var key = _vault.CreateKey();
        var terms = _vault.Terms(key, _folder);
        using var byFile = await OpenAsync(new KekTerms { Vault = terms });
        using var byRole = await OpenAsync(new KekTerms { Vault = _vault.AppRoleTerms(key, _folder) });
        Assert.Equal(byFile.Id, byRole.Id);
        var wrapped = await byFile.WrapAsync(new byte[32], "x", Cancellation);
        Assert.Equal(new byte[32], await byRole.UnwrapAsync(wrapped, "x", Cancellation));
        await Task.Delay(TimeSpan.FromSeconds(1.1), Cancellation);

        _vault.Tokens.Clear();

        Assert.Equal(new byte[32], await byRole.UnwrapAsync(wrapped, "x", Cancellation));
        Assert.Equal(Outage, (await Assert.ThrowsAsync<ServiceException>(() => byFile.UnwrapAsync(wrapped, "x", Cancellation))).Id);
        await File.WriteAllTextAsync(terms.Token!, _vault.CreateToken(), Cancellation);
        await Task.Delay(TimeSpan.FromSeconds(1.1), Cancellation);
        Assert.Equal(new byte[32], await byFile.UnwrapAsync(wrapped, "x", Cancellation));
    }

    [Fact]
    public async Task A_policy_that_refuses_does_not_make_a_new_login_for_each_request()
    {
        using var kek = await OpenAsync(new KekTerms { Vault = _vault.AppRoleTerms(_vault.CreateKey(), _folder) });
        _vault.Refusing = (403, "permission denied");

        for (var attempt = 0; attempt < 20; attempt++)
        {
            Assert.Equal(Outage, (await Assert.ThrowsAsync<ServiceException>(() => kek.WrapAsync(new byte[32], "x", Cancellation))).Id);
        }

        Assert.InRange(_vault.Asked.Count(operation => operation == "login"), 1, 10);
    }

    [Fact]
    public async Task A_token_with_a_lease_is_renewed_though_nothing_is_asked_and_then_replaced_by_a_login()
    {
        _vault.LeaseSeconds = 3;
        using var kek = await OpenAsync(new KekTerms { Vault = _vault.AppRoleTerms(_vault.CreateKey(), _folder) });

        await AtLeastAsync("renew-self", 1);
        Assert.Equal(1, _vault.Asked.Count(operation => operation == "login"));
        _vault.Renews = false;
        await AtLeastAsync("login", 2);

        async Task AtLeastAsync(string operation, int count)
        {
            for (var attempt = 0; attempt < 600 && _vault.Asked.Count(asked => asked == operation) < count; attempt++)
            {
                await Task.Delay(100, Cancellation);
            }

            Assert.InRange(_vault.Asked.Count(asked => asked == operation), count, int.MaxValue);
        }
    }

    [Fact]
    public async Task A_login_that_is_refused_is_told_without_the_secret_and_so_is_a_message_that_repeats_it()
    {
        var terms = _vault.AppRoleTerms(_vault.CreateKey(), _folder);
        await File.WriteAllTextAsync(terms.AppRole!.SecretIdFile, "wrong-secret-id", Cancellation);
        Assert.Contains("login by AppRole", (await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { Vault = terms }))).Message, StringComparison.Ordinal);
        _vault.Instead = async (context, _, _) =>
        {
            await KeyServiceStandIn.AnswerAsync(context, 400, new JsonObject { ["errors"] = new JsonArray($"bad wrong-secret-id and {context.Request.Headers["X-Vault-Token"]}") });
            return true;
        };
        var told = await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { Vault = terms }));
        Assert.Equal("service.kek.vault", told.Id);
        Assert.DoesNotContain("wrong-secret-id", told.ToString(), StringComparison.Ordinal);
        var byToken = _vault.Terms(_vault.CreateKey(), _folder);
        Assert.DoesNotContain((await File.ReadAllTextAsync(byToken.Token!, Cancellation)).Trim(), (await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { Vault = byToken }))).ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("two\nlines")]
    [InlineData("with space")]
    public async Task A_token_file_has_one_line_that_others_cannot_read(string text)
    {
        var terms = _vault.Terms(_vault.CreateKey(), _folder);
        File.SetUnixFileMode(terms.Token!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        Assert.Contains("chmod 600", (await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { Vault = terms }))).Message, StringComparison.Ordinal);
        File.SetUnixFileMode(terms.Token!, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await File.WriteAllTextAsync(terms.Token!, text, Cancellation);
        Assert.Contains("one line", (await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { Vault = terms }))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Namespace_mount_and_certificate_of_a_Vault_are_those_of_the_configuration()
    {
        await using var other = await VaultStandIn.StartAsync("kv/transit-eu", "team/one");
        var terms = other.Terms(other.CreateKey(), _folder);
        using (var kek = await OpenAsync(new KekTerms { Vault = terms }))
        {
            Assert.Equal(new byte[32], await kek.UnwrapAsync(await kek.WrapAsync(new byte[32], "x", Cancellation), "x", Cancellation));
        }

        Assert.Empty(other.Departures);

        // TLS under a root that the machine does not have, and the same with that root.
        await using var tls = await Collateral.Loopback.StartAsync(context => KeyServiceStandIn.AnswerAsync(context, 403, new JsonObject { ["errors"] = new JsonArray("permission denied") }), withTls: true);
        var unknown = await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { Vault = terms with { Address = tls.Text } }));
        Assert.Equal(Outage, unknown.Id);
        Assert.Contains("certificate", unknown.Message, StringComparison.Ordinal);
        Assert.Empty(tls.Requests);
        var ca = Path.Combine(_folder, "ca.pem");
        await File.WriteAllTextAsync(ca, Collateral.Loopback.TlsCertificate.Value.ExportCertificatePem(), Cancellation);
        Assert.Contains("permission denied", (await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { Vault = terms with { Address = tls.Text, Ca = ca } }))).Message, StringComparison.Ordinal);
        Assert.NotEmpty(tls.Requests);
        await File.WriteAllTextAsync(ca, "nothing", Cancellation);
        Assert.Contains("kek.vault.ca", (await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { Vault = terms with { Address = tls.Text, Ca = ca } }))).Message, StringComparison.Ordinal);
    }

    private static byte[] Bytes(byte value) => [.. Enumerable.Repeat(value, 32)];

    private static Task<IKeyWrapper> OpenAsync(KekTerms terms) =>
        terms.AwsKms is { } kms ? AwsKmsKeyWrapper.OpenAsync(kms, s_short, Cancellation) : VaultKeyWrapper.OpenAsync(terms.Vault!, s_short, Cancellation);

    private static string FaultOf(string kind) => kind == "awsKms" ? "service.kek.awskms" : "service.kek.vault";

    private static void Plaintext(string kind, JsonObject answer, string? text)
    {
        if (kind == "awsKms")
        {
            answer["Plaintext"] = text;
        }
        else
        {
            answer["data"]!["plaintext"] = text;
        }
    }

    private static async Task<bool> RedirectAsync(HttpContext context, int status, string address)
    {
        (context.Response.StatusCode, context.Response.Headers.Location) = (status, address + context.Request.Path);
        await context.Response.CompleteAsync();
        return true;
    }

    private static async Task<bool> StatusAsync(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        await context.Response.CompleteAsync();
        return true;
    }

    // Null, or an outage: a key never.
    private static async Task<bool> RefusedAsync(IKeyWrapper kek, byte[] wrapped, string context)
    {
        try
        {
            return await kek.UnwrapAsync(wrapped, context, Cancellation) is null;
        }
        catch (ServiceException exception)
        {
            return exception.Id == Outage;
        }
    }

    private KeyServiceStandIn Double(string kind) => kind == "awsKms" ? _kms : _vault;

    private KekTerms Terms(string kind) => kind == "awsKms" ? new KekTerms { AwsKms = _kms.Terms(_kms.CreateKey(), _folder) } : new KekTerms { Vault = _vault.Terms(_vault.CreateKey(), _folder) };
}

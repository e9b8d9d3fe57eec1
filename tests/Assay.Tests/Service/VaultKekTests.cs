using System.Text;
using System.Text.Json.Nodes;
using Assay.Service;
using Assay.Service.Keys;

namespace Assay.Tests.Service;

/// <summary>Ciphertexts, refusals, logins and tokens of Vault.</summary>
public sealed class VaultKekTests : RemoteKekWorld
{
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
        var before = Vault.Asked.Count(operation => operation == "decrypt");

        var changed = text.Replace(found, put, StringComparison.Ordinal);

        Assert.NotEqual(text, changed);
        Assert.True(await RefusedAsync(kek, Encoding.ASCII.GetBytes(changed), "x"));
        // One question: whether what it wrapped at the start opens.
        Assert.Equal(before + 1, Vault.Asked.Count(operation => operation == "decrypt"));
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
        var key = Vault.CreateKey();
        using var kek = await OpenAsync(new KekTerms { Vault = Vault.Terms(key, Folder) });
        var old = await kek.WrapAsync(Bytes(1), "x", Cancellation);
        Vault.Rotate(key);
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

        Vault.Refusing = (status, error);

        Assert.Equal(Outage, (await Assert.ThrowsAsync<ServiceException>(() => kek.UnwrapAsync(wrapped, "x", Cancellation))).Id);
        Assert.Equal(Outage, (await Assert.ThrowsAsync<ServiceException>(() => kek.WrapAsync(new byte[32], "x", Cancellation))).Id);
        var start = await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(terms));
        Assert.Equal(expected, start.Id);
        Assert.Contains(expected == Outage ? $"{status}" : error, start.Message, StringComparison.Ordinal);
        Vault.Refusing = null;
        Assert.Equal(new byte[32], await kek.UnwrapAsync(wrapped, "x", Cancellation));
    }

    [Fact]
    public async Task What_cannot_be_answered_just_now_is_asked_twice_more()
    {
        using var kek = await OpenAsync(Terms("vault"));
        var left = 2;
        Vault.Instead = (context, _, _) => left-- > 0 ? StatusAsync(context, 412) : Task.FromResult(false);

        Assert.Equal(new byte[32], await kek.UnwrapAsync(await kek.WrapAsync(new byte[32], "x", Cancellation), "x", Cancellation));
    }

    [Fact]
    public async Task A_token_that_ended_is_replaced_by_what_the_file_holds_then_or_by_a_new_login()
    {
        var key = Vault.CreateKey();
        var terms = Vault.Terms(key, Folder);
        var clock = new SteppedTime();
        using var byFile = await OpenAsync(new KekTerms { Vault = terms }, clock: clock);
        using var byRole = await OpenAsync(new KekTerms { Vault = Vault.AppRoleTerms(key, Folder) }, clock: clock);
        Assert.Equal(byFile.Id, byRole.Id);
        var wrapped = await byFile.WrapAsync(new byte[32], "x", Cancellation);
        Assert.Equal(new byte[32], await byRole.UnwrapAsync(wrapped, "x", Cancellation));
        clock.Step(TimeSpan.FromSeconds(1));

        Vault.Tokens.Clear();

        Assert.Equal(new byte[32], await byRole.UnwrapAsync(wrapped, "x", Cancellation));
        Assert.Equal(Outage, (await Assert.ThrowsAsync<ServiceException>(() => byFile.UnwrapAsync(wrapped, "x", Cancellation))).Id);
        await File.WriteAllTextAsync(terms.Token!, Vault.CreateToken(), Cancellation);
        clock.Step(TimeSpan.FromSeconds(1));
        Assert.Equal(new byte[32], await byFile.UnwrapAsync(wrapped, "x", Cancellation));
    }

    [Fact]
    public async Task A_policy_that_refuses_does_not_make_a_new_login_for_each_request()
    {
        var clock = new SteppedTime();
        using var kek = await OpenAsync(new KekTerms { Vault = Vault.AppRoleTerms(Vault.CreateKey(), Folder) }, clock: clock);
        Vault.Refusing = (403, "permission denied");

        async Task<int> LoginsAfterAsync(int requests)
        {
            for (var attempt = 0; attempt < requests; attempt++)
            {
                Assert.Equal(Outage, (await Assert.ThrowsAsync<ServiceException>(() => kek.WrapAsync(new byte[32], "x", Cancellation))).Id);
            }

            return Vault.Asked.Count(operation => operation == "login");
        }

        // One a second at most: the one at the start counts, and time stands until the test moves it.
        Assert.Equal(1, await LoginsAfterAsync(20));
        clock.Step(TimeSpan.FromSeconds(1));
        Assert.Equal(2, await LoginsAfterAsync(20));
        clock.Step(TimeSpan.FromSeconds(1));
        Assert.Equal(3, await LoginsAfterAsync(20));
    }

    [Fact]
    public async Task A_token_with_a_lease_is_renewed_though_nothing_is_asked_and_then_replaced_by_a_login()
    {
        Vault.LeaseSeconds = 3;
        using var kek = await OpenAsync(new KekTerms { Vault = Vault.AppRoleTerms(Vault.CreateKey(), Folder) });

        await AtLeastAsync("renew-self", 1);
        Assert.Equal(1, Vault.Asked.Count(operation => operation == "login"));
        Vault.Renews = false;
        await AtLeastAsync("login", 2);

        async Task AtLeastAsync(string operation, int count)
        {
            for (var attempt = 0; attempt < 600 && Vault.Asked.Count(asked => asked == operation) < count; attempt++)
            {
                await Task.Delay(100, Cancellation);
            }

            Assert.InRange(Vault.Asked.Count(asked => asked == operation), count, int.MaxValue);
        }
    }

    [Fact]
    public async Task A_login_that_is_refused_is_told_without_the_secret_and_so_is_a_message_that_repeats_it()
    {
        var terms = Vault.AppRoleTerms(Vault.CreateKey(), Folder);
        await File.WriteAllTextAsync(terms.AppRole!.SecretIdFile, "wrong-secret-id", Cancellation);
        Assert.Contains("login by AppRole", (await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { Vault = terms }))).Message, StringComparison.Ordinal);
        Vault.Instead = async (context, _, _) =>
        {
            await KeyServiceStandIn.AnswerAsync(context, 400, new JsonObject { ["errors"] = new JsonArray($"bad wrong-secret-id and {context.Request.Headers["X-Vault-Token"]}") });
            return true;
        };
        var told = await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { Vault = terms }));
        Assert.Equal("service.kek.vault", told.Id);
        Assert.DoesNotContain("wrong-secret-id", told.ToString(), StringComparison.Ordinal);
        var byToken = Vault.Terms(Vault.CreateKey(), Folder);
        Assert.DoesNotContain((await File.ReadAllTextAsync(byToken.Token!, Cancellation)).Trim(), (await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { Vault = byToken }))).ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("two\nlines")]
    [InlineData("with space")]
    public async Task A_token_file_has_one_line_that_others_cannot_read(string text)
    {
        var terms = Vault.Terms(Vault.CreateKey(), Folder);
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
        var terms = other.Terms(other.CreateKey(), Folder);
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
        var ca = Path.Combine(Folder, "ca.pem");
        await File.WriteAllTextAsync(ca, Collateral.Loopback.TlsCertificate.Value.ExportCertificatePem(), Cancellation);
        Assert.Contains("permission denied", (await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { Vault = terms with { Address = tls.Text, Ca = ca } }))).Message, StringComparison.Ordinal);
        Assert.NotEmpty(tls.Requests);
        await File.WriteAllTextAsync(ca, "nothing", Cancellation);
        Assert.Contains("kek.vault.ca", (await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { Vault = terms with { Address = tls.Text, Ca = ca } }))).Message, StringComparison.Ordinal);
    }

    /// <summary>A time that tests move. Timers run on the system's.</summary>
    private sealed class SteppedTime : TimeProvider
    {
        private long _steps;

        public override long GetTimestamp() => Volatile.Read(ref _steps);

        public void Step(TimeSpan by) => Interlocked.Add(ref _steps, (long)(by.TotalSeconds * TimestampFrequency));
    }
}

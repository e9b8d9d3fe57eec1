using System.Security.Cryptography;
using Assay.Service;
using Assay.Service.Keys;
using Assay.Service.Keys.Pkcs11;
using Net.Pkcs11Interop.Common;

namespace Assay.Tests.Service;

/// <summary>What every back-end of the key encryption key promises, and what a token's key is.</summary>
[Collection(SoftHsm.Collection)]
public sealed class KekBackEndTests : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-kek-").FullName;
    private readonly List<IDisposable> _opened = [];
    private SoftHsm? _token;
    private AwsKmsStandIn? _kms;
    private VaultStandIn? _vault;

    /// <summary>All of them. One that is added is here.</summary>
    public static TheoryData<string> BackEnds => ["file", "pkcs11", "awsKms", "vault"];

    /// <summary>Those that can be gone while the process runs.</summary>
    public static TheoryData<string> Outside => ["pkcs11", "awsKms", "vault"];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        _opened.ForEach(opened => opened.Dispose());
        foreach (var standIn in (KeyServiceStandIn?[])[_kms, _vault])
        {
            if (standIn is not null)
            {
                Assert.Empty(standIn.Departures);
                await standIn.DisposeAsync();
            }
        }

        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Every_member_of_the_configuration_is_a_back_end_of_the_contract() =>
        Assert.Equal(typeof(KekTerms).GetProperties().Select(property => property.Name).Order(StringComparer.Ordinal), BackEnds.Select(row => $"{char.ToUpperInvariant(row.Data[0])}{row.Data[1..]}").Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(BackEnds))]
    public async Task Id_and_mechanism_fit_into_an_envelope_and_two_keys_have_two_ids(string kind)
    {
        var (kek, other) = (await OpenAsync(kind), await OpenAsync(kind));

        Assert.All((string[])[kek.Id, kek.Mechanism], text => Assert.True(text.Length is > 0 and <= 64 && System.Text.Ascii.IsValid(text), text));
        Assert.NotEqual(kek.Id, other.Id);
        Assert.Equal(kek.Mechanism, other.Mechanism);
        Assert.InRange((await kek.WrapAsync(new byte[32], "x", Cancellation)).Length, 1, 4096);
    }

    [Theory]
    [MemberData(nameof(Outside))]
    public async Task What_is_gone_is_an_outage_and_no_refusal_and_answers_again_when_it_is_back(string kind)
    {
        var kek = await OpenAsync(kind);
        var wrapped = await kek.WrapAsync(new byte[32], "x", Cancellation);
        var changed = (byte[])wrapped.Clone();
        changed[^2] ^= 1;

        Break();

        Assert.Equal(KeyEncryptionKey.Unavailable, (await Assert.ThrowsAsync<ServiceException>(() => kek.UnwrapAsync(wrapped, "x", Cancellation))).Id);
        Assert.Equal(KeyEncryptionKey.Unavailable, (await Assert.ThrowsAsync<ServiceException>(() => kek.WrapAsync(new byte[32], "x", Cancellation))).Id);
        // Also what would be refused is not said to be.
        Assert.Equal(KeyEncryptionKey.Unavailable, (await Assert.ThrowsAsync<ServiceException>(() => kek.UnwrapAsync(wrapped, "y", Cancellation))).Id);
        Assert.Equal(KeyEncryptionKey.Unavailable, (await Assert.ThrowsAsync<ServiceException>(() => kek.UnwrapAsync(changed, "x", Cancellation))).Id);
        await EventuallyAsync(kek, false);
        Assert.Equal(KeyEncryptionKey.Unavailable, (await Assert.ThrowsAsync<ServiceException>(() => OpenAgainAsync(kind))).Id);

        Mend();

        await EventuallyAsync(kek, true);
        Assert.Equal(new byte[32], await kek.UnwrapAsync(wrapped, "x", Cancellation));
        Assert.Null(await kek.UnwrapAsync(wrapped, "y", Cancellation));
    }

    [Theory]
    [MemberData(nameof(Outside))]
    public async Task A_caller_that_went_away_is_not_told_of_an_outage(string kind)
    {
        var kek = await OpenAsync(kind);
        using var gone = new CancellationTokenSource();
        await gone.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => kek.WrapAsync(new byte[32], "x", gone.Token));
        Assert.Equal(new byte[32], await kek.UnwrapAsync(await kek.WrapAsync(new byte[32], "x", Cancellation), "x", Cancellation));
    }

    [Theory]
    [MemberData(nameof(BackEnds))]
    public async Task A_key_unwraps_under_its_own_key_encryption_key_and_context_and_unchanged_alone(string kind)
    {
        var (kek, other) = (await OpenAsync(kind), await OpenAsync(kind));
        var key = RandomNumberGenerator.GetBytes(32);

        var wrapped = await kek.WrapAsync(key, "broker-secret/demo/weights/1", Cancellation);

        Assert.Equal(key, await kek.UnwrapAsync(wrapped, "broker-secret/demo/weights/1", Cancellation));
        Assert.NotEqual(wrapped, await kek.WrapAsync(key, "broker-secret/demo/weights/1", Cancellation));
        Assert.True(wrapped.AsSpan().IndexOf(key) < 0);
        Assert.NotEqual(kek.Id, other.Id);
        Assert.Null(await kek.UnwrapAsync(wrapped, "broker-secret/demo/weights/2", Cancellation));
        Assert.Null(await other.UnwrapAsync(wrapped, "broker-secret/demo/weights/1", Cancellation));
        foreach (var position in (int[])[0, wrapped.Length / 2, wrapped.Length - 1])
        {
            var changed = (byte[])wrapped.Clone();
            changed[position] ^= 1;
            Assert.Null(await kek.UnwrapAsync(changed, "broker-secret/demo/weights/1", Cancellation));
        }

        foreach (var length in (int[])[0, 1, 12, 28, wrapped.Length - 1])
        {
            Assert.Null(await kek.UnwrapAsync(wrapped.AsMemory(0, length), "broker-secret/demo/weights/1", Cancellation));
        }

        // Whatever was refused, it answers.
        Assert.True(await kek.AnswersAsync(Cancellation));
        Assert.Equal(key, await kek.UnwrapAsync(wrapped, "broker-secret/demo/weights/1", Cancellation));
    }

    [Theory]
    [MemberData(nameof(BackEnds))]
    public async Task Many_use_it_at_once_and_some_of_them_are_refused(string kind)
    {
        var kek = await OpenAsync(kind);

        await Task.WhenAll(Enumerable.Range(0, 64).Select(number => Task.Run(async () =>
        {
            var key = RandomNumberGenerator.GetBytes(32);
            var wrapped = await kek.WrapAsync(key, $"context/{number}", Cancellation);
            Assert.Equal(key, await kek.UnwrapAsync(wrapped, $"context/{number}", Cancellation));
            if (number % 8 == 0)
            {
                Assert.Null(await kek.UnwrapAsync(wrapped, "context/other", Cancellation));
            }
        }, Cancellation)));
    }

    [Theory]
    [MemberData(nameof(BackEnds))]
    public async Task A_database_opens_again_under_its_own_key_encryption_key_and_no_other(string kind)
    {
        var (kek, other) = (await OpenAsync(kind), await OpenAsync(kind));
        var path = Path.Combine(_folder, "assay.db");
        await using var database = Assay.Service.Storage.ServiceDatabase.Of(path);
        await database.PrepareAsync([], Cancellation);
        byte[] record;
        byte[] secret;
        using (var first = await DatabaseKey.OpenAsync(kek, database, Cancellation))
        {
            record = first.Seal("record"u8, "x");
            secret = await first.SealSecretAsync("secret"u8.ToArray(), "y", Cancellation);
            await using var commits = new Assay.Service.Storage.GroupCommit(database, first, TimeProvider.System);
            await new SigningKeys(database, first, commits, new SigningKeyTerms(), TimeProvider.System).PrepareAsync(Cancellation);
        }

        Assert.Equal("service.kek.other", (await Assert.ThrowsAsync<ServiceException>(async () =>
        {
            using var wrong = await DatabaseKey.OpenAsync(other, database, Cancellation);
            await using var commits = new Assay.Service.Storage.GroupCommit(database, wrong, TimeProvider.System);
            await new SigningKeys(database, wrong, commits, new SigningKeyTerms(), TimeProvider.System).PrepareAsync(Cancellation);
        })).Id);
        if (kind != "file")
        {
            using var again = await DatabaseKey.OpenAsync(kek, database, Cancellation);
            Assert.Equal("record"u8.ToArray(), again.Open(record, "x"));
            Assert.Equal("secret"u8.ToArray(), await again.OpenSecretAsync(secret, "y", Cancellation));
            Assert.Null(await again.OpenSecretAsync(secret, "z", Cancellation));
            // Neither a plain record nor another back-end's envelope is taken for a secret.
            Assert.Null(await again.OpenSecretAsync(record, "x", Cancellation));
        }
    }

    [Fact]
    public async Task A_secret_of_before_envelopes_still_opens_with_the_file()
    {
        KeyEncryptionKey.Create(Path.Combine(_folder, "old"));
        using var kek = KeyEncryptionKey.Read(Path.Combine(_folder, "old"));

        Assert.Equal("secret"u8.ToArray(), await kek.OpenSecretAsync(kek.Seal("secret"u8, "broker-secret/a/b/1"), "broker-secret/a/b/1", Cancellation));
    }

    [Fact]
    public async Task The_key_never_leaves_the_token_and_is_made_once()
    {
        using var token = await SoftHsm.StartAsync();
        using var kek = await new KekTerms { Pkcs11 = token.Terms }.OpenAsync(Cancellation);

        // Another program sees the same, and is given no value.
        var shown = Peer.Require("pkcs11-tool").Run("--module", token.Module, "--token-label", token.Label, "--login", "--pin", SoftHsm.Pin, "--list-objects", "--type", "secrkey");
        Assert.True(shown.Accepted, shown.Output);
        Assert.Contains("never extractable", shown.Output, StringComparison.Ordinal);
        Assert.Contains("always sensitive", shown.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("wrap", shown.Output, StringComparison.Ordinal);
        var session = Pkcs11Module.Of(token.Module).Use(new Pkcs11Token(token.Terms).Open);
        var value = session.Session.GetAttributeValue(session.Key, [CKA.CKA_VALUE]).Single();
        Assert.True(value.CannotBeRead);
        session.Close();
        Assert.Equal("service.kek.create", (await Assert.ThrowsAsync<ServiceException>(() => token.Terms.CreateKeyAsync(Cancellation))).Id);
    }

    [Theory]
    [InlineData(CKA.CKA_EXTRACTABLE, "CKA_EXTRACTABLE is true")]
    [InlineData(CKA.CKA_WRAP, "CKA_WRAP is true")]
    [InlineData(CKA.CKA_SENSITIVE, "CKA_SENSITIVE is false")]
    public async Task A_key_that_could_leave_the_token_is_refused(CKA attribute, string expected)
    {
        using var token = await SoftHsm.StartAsync(withKey: false);
        var attributes = Pkcs11Module.Factories.ObjectAttributeFactory;
        using (var session = token.Slot.OpenSession(SessionType.ReadWrite))
        {
            session.Login(CKU.CKU_USER, SoftHsm.Pin);
            using var mechanism = Pkcs11Module.Factories.MechanismFactory.Create(CKM.CKM_AES_KEY_GEN);
            session.GenerateKey(mechanism,
            [
                attributes.Create(CKA.CKA_CLASS, CKO.CKO_SECRET_KEY), attributes.Create(CKA.CKA_KEY_TYPE, CKK.CKK_AES), attributes.Create(CKA.CKA_VALUE_LEN, 32), attributes.Create(CKA.CKA_LABEL, "kek"),
                attributes.Create(CKA.CKA_ID, new byte[16]), attributes.Create(CKA.CKA_TOKEN, true), attributes.Create(CKA.CKA_PRIVATE, true), attributes.Create(CKA.CKA_ENCRYPT, true), attributes.Create(CKA.CKA_DECRYPT, true),
                attributes.Create(CKA.CKA_EXTRACTABLE, attribute == CKA.CKA_EXTRACTABLE), attributes.Create(CKA.CKA_WRAP, attribute == CKA.CKA_WRAP), attributes.Create(CKA.CKA_UNWRAP, false), attributes.Create(CKA.CKA_SENSITIVE, attribute != CKA.CKA_SENSITIVE),
            ]);
        }

        var fault = await Assert.ThrowsAsync<ServiceException>(() => new KekTerms { Pkcs11 = token.Terms }.OpenAsync(Cancellation));

        Assert.Equal("service.kek.token", fault.Id);
        Assert.Contains(expected, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_wrong_with_module_token_key_or_PIN_is_told_and_no_message_has_the_PIN()
    {
        using var token = await SoftHsm.StartAsync();
        var good = token.Terms;
        async Task<string> RefusedAsync(Pkcs11Terms terms)
        {
            var fault = await Assert.ThrowsAsync<ServiceException>(() => new KekTerms { Pkcs11 = terms }.OpenAsync(Cancellation));
            Assert.DoesNotContain(SoftHsm.Pin, fault.ToString(), StringComparison.Ordinal);
            return $"{fault.Id}: {fault.Message}";
        }

        string PinFile(string text, UnixFileMode mode = UnixFileMode.UserRead)
        {
            var path = Path.Combine(_folder, Path.GetRandomFileName());
            File.WriteAllText(path, text);
            File.SetUnixFileMode(path, mode);
            return path;
        }

        Assert.StartsWith("service.kek.token: kek.pkcs11.module /nowhere/pkcs11.so", await RefusedAsync(good with { Module = "/nowhere/pkcs11.so" }), StringComparison.Ordinal);
        Assert.Contains("no token has this label", await RefusedAsync(good with { Token = "other" }), StringComparison.Ordinal);
        Assert.Contains("no AES key with this label", await RefusedAsync(good with { Key = "other" }), StringComparison.Ordinal);
        Assert.StartsWith("service.kek.pin", await RefusedAsync(good with { Pin = Path.Combine(_folder, "absent") }), StringComparison.Ordinal);
        Assert.Contains("chmod 600", await RefusedAsync(good with { Pin = PinFile(SoftHsm.Pin, UnixFileMode.UserRead | UnixFileMode.OtherRead) }), StringComparison.Ordinal);
        Assert.Contains("one line", await RefusedAsync(good with { Pin = PinFile("") }), StringComparison.Ordinal);
        Assert.Contains("one line", await RefusedAsync(good with { Pin = PinFile($"{SoftHsm.Pin}\nmore") }), StringComparison.Ordinal);
        Assert.Contains("CKR_PIN_INCORRECT", await RefusedAsync(good with { Pin = PinFile("wrong-pin") }), StringComparison.Ordinal);
        // A group may read it: service managers and orchestrators hand credentials over in this way.
        using var opened = await new KekTerms { Pkcs11 = good with { Pin = PinFile(SoftHsm.Pin, UnixFileMode.UserRead | UnixFileMode.GroupRead) } }.OpenAsync(Cancellation);
        Assert.True(await opened.AnswersAsync(Cancellation));
    }

    [Fact]
    public async Task A_token_that_lost_its_sessions_is_logged_in_to_again_and_one_that_is_gone_is_an_outage_until_it_is_back()
    {
        using var token = await SoftHsm.StartAsync();
        using var kek = await new KekTerms { Pkcs11 = token.Terms }.OpenAsync(Cancellation);
        var wrapped = await kek.WrapAsync(new byte[32], "x", Cancellation);

        token.EndSessions();
        Assert.Equal(new byte[32], await kek.UnwrapAsync(wrapped, "x", Cancellation));

        token.Unplug();
        Assert.Equal(KeyEncryptionKey.Unavailable, (await Assert.ThrowsAsync<ServiceException>(() => kek.UnwrapAsync(wrapped, "x", Cancellation))).Id);
        Assert.Equal(KeyEncryptionKey.Unavailable, (await Assert.ThrowsAsync<ServiceException>(() => kek.WrapAsync(new byte[32], "x", Cancellation))).Id);
        // Also what would be refused is not said to be.
        wrapped[^1] ^= 1;
        Assert.Equal(KeyEncryptionKey.Unavailable, (await Assert.ThrowsAsync<ServiceException>(() => kek.UnwrapAsync(wrapped, "x", Cancellation))).Id);
        wrapped[^1] ^= 1;
        token.Plug();
        for (var attempt = 0; attempt < 100 && !await kek.AnswersAsync(Cancellation); attempt++)
        {
            await Task.Delay(100, Cancellation);
        }

        Assert.Equal(new byte[32], await kek.UnwrapAsync(wrapped, "x", Cancellation));
    }

    private async Task<IKeyWrapper> OpenAsync(string kind)
    {
        var opened = await (await TermsAsync(kind)).OpenAsync(Cancellation);
        _opened.Insert(0, opened);
        return opened;
    }

    // The same key, as another process does.
    private async Task<IKeyWrapper> OpenAgainAsync(string kind)
    {
        if (kind == "pkcs11")
        {
            // That a token is gone at the start is said by the module in more than one way: the tests of the broker have it.
            throw new ServiceException(KeyEncryptionKey.Unavailable, "not tried");
        }

        return await OpenAsync(kind);
    }

    // A key of its own each time; of a service, in the same service.
    private async Task<KekTerms> TermsAsync(string kind)
    {
        switch (kind)
        {
            case "file":
                var path = Path.Combine(_folder, Path.GetRandomFileName());
                KeyEncryptionKey.Create(path);
                return new KekTerms { File = path };
            case "pkcs11":
                _token = await SoftHsm.StartAsync();
                _opened.Add(_token);
                return new KekTerms { Pkcs11 = _token.Terms };
            case "awsKms":
                _kms ??= await AwsKmsStandIn.StartAsync();
                return new KekTerms { AwsKms = _kms.Terms(_kms.CreateKey(), _folder) };
            case "vault":
                _vault ??= await VaultStandIn.StartAsync();
                return new KekTerms { Vault = _vault.Terms(_vault.CreateKey(), _folder) };
            default:
                throw new ArgumentOutOfRangeException(nameof(kind));
        }
    }

    private void Break()
    {
        _token?.Unplug();
        foreach (var standIn in new KeyServiceStandIn?[] { _kms, _vault }.OfType<KeyServiceStandIn>())
        {
            standIn.IsDown = true;
        }
    }

    private void Mend()
    {
        _token?.Plug();
        foreach (var standIn in new KeyServiceStandIn?[] { _kms, _vault }.OfType<KeyServiceStandIn>())
        {
            standIn.IsDown = false;
        }
    }

    // What was answered last is believed for some seconds.
    private static async Task EventuallyAsync(IKeyWrapper kek, bool answers)
    {
        for (var attempt = 0; attempt < 300 && await kek.AnswersAsync(Cancellation) != answers; attempt++)
        {
            await Task.Delay(100, Cancellation);
        }

        Assert.Equal(answers, await kek.AnswersAsync(Cancellation));
    }
}

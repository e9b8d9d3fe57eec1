using System.Text.Json;
using System.Text.Json.Serialization;
using Assay.Service.Keys.Aws;
using Assay.Service.Keys.Pkcs11;
using Assay.Service.Keys.Remote;
using Assay.Service.Keys.Vault;

namespace Assay.Service.Keys;

/// <summary>Where the key encryption key is: a file, a PKCS#11 token, AWS KMS or Vault. In JSON, the file's path, or an object with one of <c>pkcs11</c>, <c>awsKms</c> and <c>vault</c>.</summary>
[JsonConverter(typeof(KekTermsConverter))]
public sealed record KekTerms
{
    /// <summary>The back-end <c>file</c>: the key's file.</summary>
    public string? File { get; init; }

    /// <summary>The back-end <c>pkcs11</c>.</summary>
    public Pkcs11Terms? Pkcs11 { get; init; }

    /// <summary>The back-end <c>awsKms</c>.</summary>
    public AwsKmsTerms? AwsKms { get; init; }

    /// <summary>The back-end <c>vault</c>.</summary>
    public VaultTerms? Vault { get; init; }

    /// <summary>Opens the back-end: reads the file, logs in to the token, or tries the key where it is.</summary>
    /// <exception cref="ServiceException">It cannot be opened; the message says why.</exception>
    public Task<IKeyWrapper> OpenAsync(CancellationToken cancellation) =>
        Pkcs11 is { } token ? Pkcs11KeyWrapper.OpenAsync(token, cancellation)
        : AwsKms is { } kms ? AwsKmsKeyWrapper.OpenAsync(kms, RemoteKeyWrapper.Patience, cancellation)
        : Vault is { } vault ? VaultKeyWrapper.OpenAsync(vault, RemoteKeyWrapper.Patience, TimeProvider.System, cancellation)
        : Task.FromResult<IKeyWrapper>(KeyEncryptionKey.ReadWrapper(File!));

    /// <summary>What is wrong with it, as far as it can be told without asking; each begins with the member's name below <c>kek</c>.</summary>
    public IReadOnlyList<string> Faults() =>
    [
        .. new object?[] { File, Pkcs11, AwsKms, Vault }.Count(back => back is not (null or "")) == 1 ? (IEnumerable<string>)[] : ["a path, or an object with exactly one of the members pkcs11, awsKms and vault, is expected"],
        .. Prefixed("pkcs11", Pkcs11?.Faults()), .. Prefixed("awsKms", AwsKms?.Faults()), .. Prefixed("vault", Vault?.Faults()),
    ];

    private static IEnumerable<string> Prefixed(string back, IReadOnlyList<string>? faults) => (faults ?? []).Select(fault => $"{back}.{fault}");
}

/// <summary>A key of a PKCS#11 token.</summary>
public sealed record Pkcs11Terms
{
    /// <summary>The module: the shared library of the token's maker.</summary>
    public required string Module { get; init; }

    /// <summary>The token's label. Slot numbers change, and are not used.</summary>
    public required string Token { get; init; }

    /// <summary>The key's label.</summary>
    public required string Key { get; init; }

    /// <summary>The file of the user's PIN, in one line. It is read at each login, and not kept.</summary>
    public required string Pin { get; init; }

    internal IReadOnlyList<string> Faults() =>
    [
        .. Path.IsPathFullyQualified(Module) ? (string[])[] : ["module: the whole path of the token's library is expected"],
        .. Token.Length is > 0 and <= 32 && Key.Length is > 0 and <= 64 ? (string[])[] : ["token (at most 32 characters) and key (at most 64): labels are expected"],
        .. Pin.Length > 0 ? (string[])[] : ["pin: the path of a file with the PIN is expected"],
    ];

    /// <summary>Makes the key in the token. Returns its id.</summary>
    /// <exception cref="ServiceException">The token has a key with this label, or does not make one as it must be, or does not answer.</exception>
    public Task<string> CreateKeyAsync(CancellationToken cancellation) => Pkcs11KeyWrapper.CreateAsync(this, cancellation);
}

/// <summary>Reads both forms. Which members are there together is for <see cref="KekTerms.Faults"/>, with all other faults.</summary>
internal sealed class KekTermsConverter : JsonConverter<KekTerms>
{
    public override KekTerms Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType is JsonTokenType.String)
        {
            return new KekTerms { File = reader.GetString() };
        }

        var form = JsonSerializer.Deserialize<Form>(ref reader, options) ?? throw new JsonException();
        return new KekTerms { Pkcs11 = form.Pkcs11, AwsKms = form.AwsKms, Vault = form.Vault };
    }

    public override void Write(Utf8JsonWriter writer, KekTerms value, JsonSerializerOptions options)
    {
        if (value.File is { } file)
        {
            writer.WriteStringValue(file);
        }
        else
        {
            JsonSerializer.Serialize(writer, new Form(value.Pkcs11, value.AwsKms, value.Vault), options);
        }
    }

    private sealed record Form(Pkcs11Terms? Pkcs11 = null, AwsKmsTerms? AwsKms = null, VaultTerms? Vault = null);
}

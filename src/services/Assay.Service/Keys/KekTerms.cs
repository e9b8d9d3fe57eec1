using System.Text.Json;
using System.Text.Json.Serialization;
using Assay.Service.Keys.Pkcs11;

namespace Assay.Service.Keys;

/// <summary>Where the key encryption key is: a file, or a PKCS#11 token. In JSON, the file's path, or <c>{"pkcs11": {…}}</c>.</summary>
[JsonConverter(typeof(KekTermsConverter))]
public sealed record KekTerms
{
    /// <summary>The back-end <c>file</c>: the key's file.</summary>
    public string? File { get; init; }

    /// <summary>The back-end <c>pkcs11</c>.</summary>
    public Pkcs11Terms? Pkcs11 { get; init; }

    /// <summary>Opens the back-end: reads the file, or logs in to the token.</summary>
    /// <exception cref="ServiceException">It cannot be opened; the message says why.</exception>
    public Task<IKeyWrapper> OpenAsync(CancellationToken cancellation) =>
        Pkcs11 is { } token ? Pkcs11KeyWrapper.OpenAsync(token, cancellation) : Task.FromResult<IKeyWrapper>(KeyEncryptionKey.ReadWrapper(File!));
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

    /// <summary>Makes the key in the token. Returns its id.</summary>
    /// <exception cref="ServiceException">The token has a key with this label, or does not make one as it must be, or does not answer.</exception>
    public Task<string> CreateKeyAsync(CancellationToken cancellation) => Pkcs11KeyWrapper.CreateAsync(this, cancellation);
}

/// <summary>Reads both forms.</summary>
internal sealed class KekTermsConverter : JsonConverter<KekTerms>
{
    public override KekTerms Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType is JsonTokenType.String
        ? new KekTerms { File = reader.GetString() }
        : new KekTerms { Pkcs11 = (JsonSerializer.Deserialize<Form>(ref reader, options) ?? throw new JsonException()).Pkcs11 };

    public override void Write(Utf8JsonWriter writer, KekTerms value, JsonSerializerOptions options)
    {
        if (value.File is { } file)
        {
            writer.WriteStringValue(file);
        }
        else
        {
            JsonSerializer.Serialize(writer, new Form(value.Pkcs11!), options);
        }
    }

    private sealed record Form(Pkcs11Terms Pkcs11);
}

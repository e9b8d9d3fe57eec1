using System.CommandLine;
using System.Globalization;
using System.Text.Json;

namespace Assay.Cli.Keys;

/// <summary>What the commands take.</summary>
internal static partial class KeyCommand
{
    private static Argument<string> Id()
    {
        var id = new Argument<string>("id") { Description = "the key's name", HelpName = "ID" };
        id.Validators.Add(result => Validate(result, KeyName.WhyNotNamed));
        return id;
    }

    private static Argument<string> NewId()
    {
        var id = new Argument<string>("id") { Description = $"the key's name: {KeyName.Form}", HelpName = "ID" };
        id.Validators.Add(result => Validate(result, KeyName.WhyNot));
        return id;
    }

    private static Option<long?> Revision() => new Option<long?>("--revision") { Description = "the revision that you have read (assay key show): the change is made only if the key is still at it. If it is not given, the key is read first", HelpName = "N" }.Within(1, long.MaxValue);

    private static void Validate(System.CommandLine.Parsing.ArgumentResult result, Func<string, string?> whyNot)
    {
        foreach (var why in result.Tokens.Select(token => whyNot(token.Value)).OfType<string>())
        {
            result.AddError($"ID: {why}");
        }
    }

    /// <summary>The warning that nothing which two persons do can be done.</summary>
    internal static string NoPersons(string what) => $"assay: {what}, and the broker's configuration lets no person of this tenant log in (authentication.oidc, authentication.certificates): docs/operations/first-key.md shows how";

    private static Option<int> Bytes() => new Option<int>("--bytes") { Description = "how many random bytes, 16 to 4096", HelpName = "N", DefaultValueFactory = _ => 32 }.Within(16, 4096);

    private static string PathOf(string id) => $"v1/keys/{Uri.EscapeDataString(id)}";

    private static bool TrySecret(string? path, out byte[]? secret)
    {
        secret = null;
        if (path is null || InputFile.TryReadEveryByte(path, MostSecret, out secret, out var whyNot))
        {
            return true;
        }

        Output.Error("cli.file", $"--secret: {whyNot}");
        return false;
    }

    // Null where no file is given.
    private static bool TryJson(string option, string? path, int most, out JsonElement? json)
    {
        json = null;
        if (path is null)
        {
            return true;
        }

        if (!InputFile.TryRead(path, most, out var bytes, out var whyNot))
        {
            Output.Error("cli.file", $"{option}: {whyNot}");
            return false;
        }

        try
        {
            json = JsonElement.Parse(bytes);
            return true;
        }
        catch (JsonException exception)
        {
            Output.Error("cli.file", string.Create(CultureInfo.InvariantCulture, $"{option}: {path}: malformed JSON, line {exception.LineNumber + 1}, byte {exception.BytePositionInLine + 1} of it"));
            return false;
        }
    }

    private static void Write(Utf8JsonWriter writer, string name, JsonElement? json)
    {
        if (json is { } value)
        {
            writer.WritePropertyName(name);
            value.WriteTo(writer);
        }
    }

    private static void Write(Utf8JsonWriter writer, byte[]? secret, int bytes)
    {
        if (secret is not null)
        {
            writer.WriteBase64String("secret", secret);
        }
        else
        {
            writer.WriteNumber("bytes", bytes);
        }
    }
}

using System.Buffers.Text;
using System.Collections.Immutable;
using System.Formats.Asn1;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Binding;
using Assay.Channels;
using Assay.Client.Channels.Tls;
using Assay.Wire;

namespace Assay.Tests.Channels;

/// <summary>The published vectors of channels (vectors/channels): what the code makes and reads is what they say, and no vector changes unseen.</summary>
public sealed class ChannelVectorTests
{
    // Others test against them: a change is a new version of the channel, and is written here on purpose.
    private static readonly Dictionary<string, string> s_digests = new(StringComparer.Ordinal)
    {
        ["bindings.json"] = "f29ae04788405dcae7082c5ac2b261334ab8a83bc95901999995ea807a38609b",
        ["certificates.json"] = "b461fe4e50b34364e6a1f14287e50352a8c2bef8ac03116ba0934265e1aaf707",
        ["exporters.json"] = "20f6c56d27c85f52aa3eccea874bc06e970863da2433431055c0d8e225238cb3",
        ["messages.json"] = "e9ef24be817a114b63ddaeb11fe7cf97bda1386acc9e8d9c7ec9fcc13438f397",
    };

    // RFC 8446 §7.1 and §7.5 in a language that shares nothing with this one.
    private const string PythonExporter = """
        import hashlib, hmac, sys
        hash, secret, label, context, size = sys.argv[1].replace('-', '').lower(), bytes.fromhex(sys.argv[2]), sys.argv[3], bytes.fromhex(sys.argv[4]), int(sys.argv[5])
        def digest(data): return hashlib.new(hash, data).digest()
        def expand(key, info, size):
            out = block = b''
            counter = 1
            while len(out) < size:
                block = hmac.new(key, block + info + bytes([counter]), hash).digest()
                out, counter = out + block, counter + 1
            return out[:size]
        def label_of(name, context, size):
            name = b'tls13 ' + name
            return size.to_bytes(2, 'big') + bytes([len(name)]) + name + bytes([len(context)]) + context
        derived = expand(secret, label_of(label.encode(), digest(b''), len(secret)), len(secret))
        print(derived.hex(), expand(derived, label_of(b'exporter', digest(context), size), size).hex())
        """;

    public static TheoryData<string> Bindings => Names("bindings.json");

    public static TheoryData<string> Exporters => Names("exporters.json");

    public static TheoryData<string> Messages => Names("messages.json");

    public static TheoryData<string> Certificates => Names("certificates.json");

    private static string Folder => Path.Combine(Repository.Root, "vectors", "channels");

    [Fact]
    public void No_vector_was_changed_added_or_taken_away_unseen()
    {
        var found = Directory.EnumerateFiles(Folder).ToDictionary(file => Path.GetFileName(file), file => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file))), StringComparer.Ordinal);

        Assert.Equal(s_digests.OrderBy(file => file.Key, StringComparer.Ordinal), found.OrderBy(file => file.Key, StringComparer.Ordinal));
    }

    [Fact]
    public void Names_are_unique_and_no_file_has_members_that_no_test_reads()
    {
        Dictionary<string, string[]> known = new(StringComparer.Ordinal)
        {
            ["bindings.json"] = ["name", "input", "expect"],
            ["certificates.json"] = ["name", "certificate", "expect"],
            ["exporters.json"] = ["name", "input", "expect"],
            ["messages.json"] = ["name", "message", "expect"],
        };
        foreach (var (file, members) in known)
        {
            var vectors = Vectors(file);
            Assert.Equal(vectors.Length, vectors.Select(vector => vector.GetProperty("name").GetString()).Distinct().Count());
            Assert.All(vectors, vector => Assert.Equal(members, vector.EnumerateObject().Select(member => member.Name)));
        }
    }

    [Theory]
    [MemberData(nameof(Bindings))]
    public void The_nonce_of_a_binding_is_the_published_one(string name)
    {
        var vector = Vector("bindings.json", name);
        var (input, expect) = (vector.GetProperty("input"), vector.GetProperty("expect"));
        var binding = new ChannelBinding
        {
            Level = ChannelBinding.LevelOf(Text(input, "level")),
            Role = Text(input, "role") switch { "server" => ChannelRole.Server, "client" => ChannelRole.Client, var other => throw new FormatException(other) },
            Purpose = Text(input, "purpose"),
            Epoch = Bytes(input, "epoch"),
            NotBefore = Time(input, "not-before"),
            NotAfter = Time(input, "not-after"),
            Challenge = Bytes(input, "challenge"),
            Leaf = Bytes(input, "leaf"),
            PeerLeaf = Bytes(input, "peer-leaf"),
            Exporter = Bytes(input, "exporter"),
        };
        if (expect.TryGetProperty("refused", out var member))
        {
            Assert.StartsWith($"{member.GetString()}: ", Assert.Throws<InvalidOperationException>(binding.Nonce).Message, StringComparison.Ordinal);
            return;
        }

        Assert.Equal(Text(expect, "nonce"), binding.Nonce());
        Assert.Equal(Text(expect, "nonce"), Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(Text(expect, "jcs")))));
        // The text is canonical: read and written again, it is the same.
        using var document = JsonDocument.Parse(Text(expect, "jcs"));
        Assert.Equal(Text(expect, "jcs"), Encoding.UTF8.GetString(CanonicalJson.Write(document.RootElement)));
    }

    [Fact]
    public void No_two_bindings_have_the_same_nonce()
    {
        var nonces = Vectors("bindings.json").Select(vector => vector.GetProperty("expect")).Where(expect => expect.TryGetProperty("nonce", out _)).Select(expect => Text(expect, "nonce")).ToArray();

        Assert.Equal(10, nonces.Length);
        Assert.Equal(nonces.Length, nonces.Distinct(StringComparer.Ordinal).Count());
    }

    [Theory]
    [MemberData(nameof(Exporters))]
    public void What_is_exported_is_the_published_and_what_python_exports(string name)
    {
        var vector = Vector("exporters.json", name);
        var (input, expect) = (vector.GetProperty("input"), vector.GetProperty("expect"));
        var hash = Text(input, "hash") switch { "SHA-384" => HashAlgorithmName.SHA384, "SHA-256" => HashAlgorithmName.SHA256, var other => throw new FormatException(other) };
        using var secret = new ExporterSecret(Bytes(input, "exporter-master-secret"), hash);

        Assert.Equal(Text(expect, "hex"), Convert.ToHexStringLower(secret.Export(Text(input, "label"), Bytes(input, "context"), input.GetProperty("size").GetInt32())));
        Assert.Contains(Text(input, "label"), new[] { ChannelBinding.ExporterLabel(ChannelRole.Server), ChannelBinding.ExporterLabel(ChannelRole.Client) });
        Assert.Equal(ChannelBinding.ExporterSize, input.GetProperty("size").GetInt32());
        var python = Peer.Require("python3").Run("-c", PythonExporter, Text(input, "hash"), Text(input, "exporter-master-secret"), Text(input, "label"), Text(input, "context"), $"{input.GetProperty("size").GetInt32()}");
        Assert.Equal($"{Text(expect, "derived")} {Text(expect, "hex")}\n", python.Output);
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void A_message_is_read_as_published_or_refused_for_the_published_field(string name)
    {
        var vector = Vector("messages.json", name);
        var expect = vector.GetProperty("expect");
        var read = ChannelMessage.TryParse(Encoding.UTF8.GetBytes(Text(vector, "message")), out var message, out var fault);
        if (expect.TryGetProperty("fault", out var field))
        {
            Assert.False(read);
            Assert.Null(message);
            Assert.Equal(field.GetString(), fault!.Field);
            return;
        }

        Assert.True(read, $"{fault}");
        Compare(expect, "ask", message!.Ask is { } asked ? [Hex(asked.Challenge), ChannelBinding.WordOf(asked.Minimum), .. asked.Digests] : null);
        Compare(expect, "answer", message.Answer is { } answered ? [ChannelBinding.WordOf(answered.Level), answered.Purpose, Hex(answered.Epoch), Encoding.UTF8.GetString(answered.Evidence.Span), .. answered.Parts.OrderBy(part => part.Key, StringComparer.Ordinal).SelectMany(part => new[] { part.Key, Hex(part.Value) })] : null);
        Compare(expect, "refused", message.Refused is { } refusal ? [refusal.Id, refusal.Reason] : null);
        Assert.Equal(expect.TryGetProperty("accepted", out _), message.Accepted);
        // What this end writes of it is the vector again.
        using var again = JsonDocument.Parse(message.ToJson());
        using var published = JsonDocument.Parse(Text(vector, "message"));
        Assert.True(JsonElement.DeepEquals(published.RootElement, again.RootElement), again.RootElement.GetRawText());
    }

    [Theory]
    [MemberData(nameof(Certificates))]
    public void A_certificate_is_read_as_published_or_refused_for_the_published_field(string name)
    {
        var vector = Vector("certificates.json", name);
        var expect = vector.GetProperty("expect");
        var read = ChannelCertificate.TryRead(vector.GetProperty("certificate").GetBytesFromBase64(), out var certificate, out var fault);
        if (expect.TryGetProperty("fault", out var field))
        {
            Assert.False(read);
            Assert.Null(certificate);
            Assert.Equal(field.GetString(), fault!.Field);
            return;
        }

        Assert.True(read, $"{fault}");
        Assert.Equal(Text(expect, "digest"), Convert.ToHexStringLower(certificate!.Digest.Span));
        Assert.Equal(Text(expect, "jwk"), Encoding.UTF8.GetString(certificate.Jwk.Span));
        Assert.Equal(Time(expect, "not-before"), certificate.NotBefore);
        Assert.Equal(Time(expect, "not-after"), certificate.NotAfter);
        if (!expect.TryGetProperty("statement", out var statement))
        {
            Assert.Null(certificate.Statement);
            return;
        }

        Assert.Equal(Flat(statement), new[] { certificate.Statement!.Purpose, Convert.ToHexStringLower(certificate.Statement.Epoch.Span), certificate.Statement.Tee, Convert.ToHexStringLower(certificate.Statement.Quote.Span), certificate.Statement.Devices, certificate.Statement.Log });
        var writer = new AsnWriter(AsnEncodingRules.DER);
        writer.WriteOctetString(certificate.Statement.ToJson());
        Assert.Equal(Text(expect, "extension"), Convert.ToHexStringLower(writer.Encode()));
    }

    [Fact]
    public void The_object_identifier_is_the_published_one()
    {
        using var document = Read("certificates.json");
        var writer = new AsnWriter(AsnEncodingRules.DER);
        writer.WriteObjectIdentifier(ChannelStatement.Oid);

        Assert.Equal(ChannelStatement.Oid, Text(document.RootElement, "oid"));
        Assert.Equal(Text(document.RootElement, "oid-der"), Convert.ToHexStringLower(writer.Encode()));
    }

    // Every text of the published member, in its order; lists and objects of it are flattened.
    private static void Compare(JsonElement expect, string name, string[]? found) => Assert.Equal(expect.TryGetProperty(name, out var published) ? Flat(published).ToArray() : null, found);

    private static IEnumerable<string> Flat(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Array => element.EnumerateArray().SelectMany(Flat),
        JsonValueKind.Object => element.EnumerateObject().SelectMany(member => member.Name.StartsWith("sha384:", StringComparison.Ordinal) ? Flat(member.Value).Prepend(member.Name) : Flat(member.Value)),
        _ => [element.GetString()!],
    };

    private static string Hex(ReadOnlyMemory<byte> bytes) => Convert.ToHexStringLower(bytes.Span);

    private static JsonDocument Read(string file) => JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, file)));

    private static JsonElement[] Vectors(string file)
    {
        using var document = Read(file);
        return [.. document.RootElement.GetProperty("vectors").Clone().EnumerateArray()];
    }

    private static TheoryData<string> Names(string file) => [.. Vectors(file).Select(vector => Text(vector, "name"))];

    private static JsonElement Vector(string file, string name) => Vectors(file).Single(vector => Text(vector, "name") == name);

    private static string Text(JsonElement parent, string name) => parent.GetProperty(name).GetString()!;

    private static byte[] Bytes(JsonElement parent, string name) => Convert.FromHexString(Text(parent, name));

    private static DateTimeOffset Time(JsonElement parent, string name) => DateTimeOffset.Parse(Text(parent, name), CultureInfo.InvariantCulture);
}

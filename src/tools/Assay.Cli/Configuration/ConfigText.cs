using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Assay.Cli.Configuration;

/// <summary>
/// The text of a configuration as a tree: JSON where it begins with a brace, YAML otherwise. What makes one text mean two things is
/// refused: keys given twice, anchors and aliases, tags, a second document, directives.
/// </summary>
internal static class ConfigText
{
    /// <summary>A file for people: far more than one has.</summary>
    public const int MostBytes = 256 * 1024;

    private const int MostNodes = 4096;
    private const int Deepest = 8;
    private static readonly UTF8Encoding s_utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Reads it.</summary>
    /// <param name="bytes">Of the file.</param>
    /// <param name="map">Its members; null where there is a fault.</param>
    /// <param name="fault">The first.</param>
    /// <param name="example">Where a file to begin with is found, in words.</param>
    public static bool TryParse(byte[] bytes, [NotNullWhen(true)] out ConfigMap? map, [NotNullWhen(false)] out ConfigFault? fault, string example = "assay init writes one")
    {
        (map, fault) = (null, null);
        try
        {
            var text = s_utf8.GetString(bytes);
            if (text.StartsWith('\uFEFF'))
            {
                throw new ConfigException(1, "the file begins with a byte order mark: save it as UTF-8 without one");
            }

            var isJson = text.AsSpan().TrimStart().StartsWith("{");
            RefuseUnseen(text, isJson);
            map = isJson ? Json(bytes) : Yaml(text, example);
            return true;
        }
        catch (ConfigException exception)
        {
            fault = exception.Fault;
        }
        catch (DecoderFallbackException)
        {
            fault = new ConfigFault(1, "not UTF-8");
        }
        catch (JsonException exception)
        {
            fault = new ConfigFault((int)(exception.LineNumber ?? 0) + 1, "not JSON");
        }
        catch (YamlException exception)
        {
            fault = new ConfigFault((int)exception.Start.Line, $"not YAML: {exception.Message}");
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidOperationException or FormatException or IndexOutOfRangeException)
        {
            // What both libraries throw beside their own, as for half a surrogate pair.
            fault = new ConfigFault(1, "neither YAML nor JSON");
        }

        return false;
    }

    // A line that ends where only some readers see it, or a character that shows nothing, makes one text mean two things.
    private static void RefuseUnseen(string text, bool isJson)
    {
        foreach (var (index, line) in text.Split('\n').Index())
        {
            var shown = line.EndsWith('\r') ? line[..^1] : line;
            if (shown.Where(IsUnseen).Take(1).ToArray() is [var letter])
            {
                throw new ConfigException(index + 1, $"a character that is not shown, or ends a line for some readers only (U+{(int)letter:X4})");
            }

            if (!isJson && shown.StartsWith('%'))
            {
                throw new ConfigException(index + 1, "directives (%) are not read");
            }
        }
    }

    private static bool IsUnseen(char letter) => letter != '\t'
        && char.GetUnicodeCategory(letter) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    private static ConfigMap Json(byte[] bytes)
    {
        var reader = new Utf8JsonReader(bytes, new JsonReaderOptions { MaxDepth = Deepest });
        var counter = new Counter();
        reader.Read();
        var root = JsonNode(ref reader, bytes, counter);
        // Whatever comes after the object is the reader's fault to find.
        while (reader.Read())
        {
        }

        return (ConfigMap)root;
    }

    private static ConfigNode JsonNode(ref Utf8JsonReader reader, byte[] bytes, Counter counter)
    {
        var line = bytes.AsSpan(0, (int)reader.TokenStartIndex).Count((byte)'\n') + 1;
        counter.Add(line);
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                var members = new Members();
                while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
                {
                    var at = bytes.AsSpan(0, (int)reader.TokenStartIndex).Count((byte)'\n') + 1;
                    var key = reader.GetString()!;
                    reader.Read();
                    members.Add(key, at, JsonNode(ref reader, bytes, counter));
                }

                return new ConfigMap(line, members.All);
            case JsonTokenType.StartArray:
                var items = ImmutableArray.CreateBuilder<ConfigNode>();
                while (reader.Read() && reader.TokenType is not JsonTokenType.EndArray)
                {
                    items.Add(JsonNode(ref reader, bytes, counter));
                }

                return new ConfigList(line, items.ToImmutable());
            case JsonTokenType.String:
                return new ConfigScalar(line, reader.GetString()!, IsQuoted: true, MayBeText: true);
            default:
                return new ConfigScalar(line, Encoding.UTF8.GetString(reader.ValueSpan), IsQuoted: false, MayBeText: false);
        }
    }

    private static ConfigMap Yaml(string text, string example)
    {
        var parser = new Parser(new StringReader(text));
        parser.Consume<StreamStart>();
        if (!parser.TryConsume<DocumentStart>(out var start))
        {
            throw new ConfigException(1, $"the file is empty; {example}");
        }

        if (start.Version is not null || start.Tags?.Any(tag => tag.Handle is not ("!" or "!!")) is true)
        {
            throw new ConfigException((int)start.Start.Line, "directives (%) are not read");
        }

        var root = YamlNode(parser, new Counter(), 1);
        parser.Consume<DocumentEnd>();
        if (parser.TryConsume<DocumentStart>(out var second))
        {
            throw new ConfigException((int)second.Start.Line, "a second document begins: one is expected");
        }

        return root as ConfigMap ?? throw new ConfigException(root.Line, $"keys with values are expected; {example}");
    }

    private static ConfigNode YamlNode(Parser parser, Counter counter, int depth)
    {
        var line = (int)(parser.Current ?? throw new ConfigException(1, "not YAML: the text ends early")).Start.Line;
        counter.Add(line);
        if (depth > Deepest)
        {
            throw new ConfigException(line, $"nested more than {Deepest} deep");
        }

        RefuseIndirection(parser.Current, line);
        if (parser.TryConsume<MappingStart>(out _))
        {
            return YamlMap(parser, counter, depth, line);
        }

        if (parser.TryConsume<SequenceStart>(out _))
        {
            return YamlList(parser, counter, depth, line);
        }

        var scalar = parser.Consume<Scalar>();
        return scalar.Style is ScalarStyle.Plain
            ? new ConfigScalar(line, scalar.Value, IsQuoted: false, MayBeText: scalar.Value is not ("" or "~" or "null" or "true" or "false"))
            : new ConfigScalar(line, scalar.Value, IsQuoted: true, MayBeText: true);
    }

    private static void RefuseIndirection(ParsingEvent node, int line)
    {
        if (node is AnchorAlias or NodeEvent { Anchor.IsEmpty: false })
        {
            throw new ConfigException(line, "anchors (&) and aliases (*) are not read: write the value where it is meant");
        }

        if (node is NodeEvent { Tag.IsEmpty: false })
        {
            throw new ConfigException(line, "tags (!) are not read");
        }
    }

    private static ConfigMap YamlMap(Parser parser, Counter counter, int depth, int line)
    {
        var members = new Members();
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            if (YamlNode(parser, counter, depth + 1) is not ConfigScalar key)
            {
                throw new ConfigException(line, "a key is a single word");
            }

            members.Add(key.Text, key.Line, YamlNode(parser, counter, depth + 1));
        }

        return new ConfigMap(line, members.All);
    }

    private static ConfigList YamlList(Parser parser, Counter counter, int depth, int line)
    {
        var items = ImmutableArray.CreateBuilder<ConfigNode>();
        while (!parser.TryConsume<SequenceEnd>(out _))
        {
            items.Add(YamlNode(parser, counter, depth + 1));
        }

        return new ConfigList(line, items.ToImmutable());
    }

    private sealed class Members
    {
        private readonly ImmutableArray<ConfigMember>.Builder _all = ImmutableArray.CreateBuilder<ConfigMember>();

        public ImmutableArray<ConfigMember> All => _all.ToImmutable();

        public void Add(string key, int line, ConfigNode value)
        {
            if (_all.FirstOrDefault(member => member.Key == key) is { } first)
            {
                throw new ConfigException(line, $"{key}: given a second time, first on line {first.Line}");
            }

            _all.Add(new ConfigMember(key, line, value));
        }
    }

    private sealed class Counter
    {
        private int _count;

        public void Add(int line)
        {
            if (++_count > MostNodes)
            {
                throw new ConfigException(line, $"more than {MostNodes} values");
            }
        }
    }

    private sealed class ConfigException(int line, string problem) : Exception(problem)
    {
        public ConfigFault Fault { get; } = new(line, problem);
    }
}

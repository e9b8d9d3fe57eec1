using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Assay.Tokens;
using Assay.Trust.Jose;
using Assay.Wire;
using Spectre.Console;

namespace Assay.Cli.Tokens;

/// <summary>What stands in a bundle or a single token. Nothing about it is verified, and every form of it says so.</summary>
internal sealed class TokenContents
{
    private readonly List<(string Name, CompactJws Jws)> _tokens;

    private TokenContents(List<(string Name, CompactJws Jws)> tokens) => _tokens = tokens;

    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out TokenContents? contents, [NotNullWhen(false)] out ParseFault? fault)
    {
        contents = null;
        if (IsBundle(bytes))
        {
            if (EatBundle.TryParse(bytes, out var bundle, out fault))
            {
                contents = new TokenContents([("overall", bundle.Overall), .. bundle.Submodules.Select(submodule => (submodule.Key, submodule.Value))]);
            }
        }
        else if (CompactJws.TryParse(SingleToken(bytes), out var jws, out fault))
        {
            contents = new TokenContents([("token", jws)]);
        }

        return contents is not null;
    }

    /// <summary>A JSON array, where single tokens start with base64.</summary>
    public static bool IsBundle(ReadOnlySpan<byte> bytes) => bytes.TrimStart(" \t\r\n"u8) is [(byte)'[', ..];

    /// <summary>The text of a single token, without the ends of lines around it.</summary>
    public static string SingleToken(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes.Trim("\r\n"u8));

    public void Print(bool json)
    {
        if (json)
        {
            JsonOutput.Print(writer =>
            {
                writer.WriteStartObject();
                writer.WriteBoolean("verified", false);
                writer.WriteStartObject("tokens");
                foreach (var (name, jws) in _tokens)
                {
                    writer.WriteStartObject(name);
                    writer.WritePropertyName("header");
                    jws.Header.WriteTo(writer);
                    writer.WritePropertyName("payload");
                    jws.Payload.WriteTo(writer);
                    writer.WriteEndObject();
                }

                writer.WriteEndObject();
                writer.WriteEndObject();
            });
            return;
        }

        Output.Out.MarkupLine("[bold yellow]NOTHING HERE IS VERIFIED[/]: anyone can write such a text. Verify it: assay token verify FILE --jwks FILE|URL");
        foreach (var (name, jws) in _tokens)
        {
            Output.Out.WriteLine();
            Output.Out.MarkupLineInterpolated($"[bold]{Printable.Of(name)}[/]");
            PrintJson("header", jws.Header);
            PrintJson("payload", jws.Payload);
        }
    }

    private static void PrintJson(string label, JsonElement element)
    {
        Output.Out.WriteLine($"  {label}");
        foreach (var line in Encoding.UTF8.GetString(HarmlessJson.Write(element.WriteTo)).Split('\n'))
        {
            Output.Out.WriteLine($"    {Printable.Of(line)}");
        }
    }
}

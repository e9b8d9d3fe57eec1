using System.Text.Json;
using Assay.Collateral.Bundles;
using Assay.Endorsements;
using Spectre.Console;

namespace Assay.Cli.Bundles;

/// <summary>What a bundle is, for people and for programs.</summary>
internal static class BundlePrinter
{
    public static void Print(string name, CollateralBundle bundle, IReadOnlyDictionary<CollateralKey, VerifiedItem>? items, bool verbose)
    {
        var manifest = bundle.Manifest;
        Line($"{name}: {manifest.Items.Length} items, {Size(manifest)} bytes, {manifest.Marks.Length} high-water marks");
        Line($"  created     {Instant.Text(manifest.Created)}");
        Line($"  sequence    {manifest.Sequence}");
        Line($"  good until  {Instant.Text(manifest.GoodUntil)}{(items is null ? "" : $", when {BundleEnd.FirstOf([.. items.Values])} ends")}");
        Line($"  digest      sha256 {bundle.Digest}");
        Line($"  signatures  {string.Join(", ", bundle.KeyIds)}");
        foreach (var kind in manifest.Items.GroupBy(item => item.Key.Kind))
        {
            var end = items is null ? "" : $"  until {Instant.Text(kind.Min(item => items[item.Key].ValidUntil))}";
            Line($"  {kind.Count(),6} {CollateralKinds.NameOf(kind.Key),-12}{end}");
            foreach (var item in kind.Where(_ => verbose))
            {
                Line($"           {item.Key.Id}  {item.ChainLength + item.BodyLength} bytes{(items is null ? "" : $", until {Instant.Text(items[item.Key].ValidUntil)}")}");
            }
        }
    }

    /// <summary>One JSON object; what <paramref name="more"/> writes stands at its end.</summary>
    public static void PrintJson(CollateralBundle? bundle, IReadOnlyDictionary<CollateralKey, VerifiedItem>? items, Action<Utf8JsonWriter>? more = null)
    {
        JsonOutput.Print(writer =>
        {
            writer.WriteStartObject();
            if (bundle is not null)
            {
                Write(writer, bundle, items);
            }

            more?.Invoke(writer);
            writer.WriteEndObject();
        });
    }

    public static void Line(string text) => Output.Out.WriteLine(Printable.Of(text));

    private static void Write(Utf8JsonWriter writer, CollateralBundle bundle, IReadOnlyDictionary<CollateralKey, VerifiedItem>? items)
    {
        var manifest = bundle.Manifest;
        writer.WriteString("digest", $"{bundle.Digest}");
        writer.WriteString("created", Instant.Text(manifest.Created));
        writer.WriteNumber("sequence", manifest.Sequence);
        writer.WriteString("goodUntil", Instant.Text(manifest.GoodUntil));
        writer.WriteNumber("marks", manifest.Marks.Length);
        writer.WriteStartArray("signatures");
        foreach (var name in bundle.KeyIds)
        {
            writer.WriteStringValue(name);
        }

        writer.WriteEndArray();
        writer.WriteStartArray("items");
        foreach (var item in manifest.Items)
        {
            writer.WriteStartObject();
            writer.WriteString("kind", CollateralKinds.NameOf(item.Key.Kind));
            writer.WriteString("id", item.Key.Id);
            writer.WriteNumber("bytes", item.ChainLength + item.BodyLength);
            writer.WriteString("sha256", $"{item.Body}");
            if (items is not null)
            {
                writer.WriteString("validUntil", Instant.Text(items[item.Key].ValidUntil));
            }

            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static long Size(BundleManifest manifest) => manifest.Items.Sum(item => (long)item.ChainLength + item.BodyLength);
}

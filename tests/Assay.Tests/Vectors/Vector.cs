using System.Text;

namespace Assay.Tests.Vectors;

/// <summary>
/// One of our own vectors: lines <c>key: value</c>, an empty line, hexadecimal. It says itself where it comes from and what is
/// expected; its file name is its defect.
/// </summary>
internal sealed record Vector(string Name, string Structure, string Source, string Expect, byte[] Bytes)
{
    private static readonly string[] s_keys = ["structure", "source", "expect"];

    /// <summary>Every vector of a folder. An empty folder, an unknown key, a repeated one and a missing one fail.</summary>
    public static List<Vector> Load(string folder)
    {
        var path = Path.Combine(Repository.Root, "vectors", folder);
        var files = Directory.EnumerateFiles(path).Order(StringComparer.Ordinal).ToArray();
        Assert.True(files.Length > 0, $"{path} holds no vector");
        Assert.All(files, file => Assert.EndsWith(".vec", file, StringComparison.Ordinal));
        return [.. files.Select(Read)];
    }

    public static Vector Parse(string name, string text)
    {
        var (head, body) = text.Split("\n\n", 2) is [var before, var after] ? (before, after) : throw new FormatException($"{name}: no empty line between the keys and the bytes");
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in head.Split('\n'))
        {
            var (key, value) = line.Split(": ", 2) is [var left, var right] ? (left, right) : throw new FormatException($"{name}: \"{line}\" is no \"key: value\"");
            if (!s_keys.Contains(key) || !values.TryAdd(key, value))
            {
                throw new FormatException($"{name}: the key \"{key}\" is unknown or stands twice");
            }
        }

        var missing = s_keys.Except(values.Keys).FirstOrDefault();
        return missing is null
            ? new Vector(name, values["structure"], values["source"], values["expect"], Convert.FromHexString(body.Replace("\n", "", StringComparison.Ordinal)))
            : throw new FormatException($"{name}: the key \"{missing}\" is missing");
    }

    private static Vector Read(string file) => Parse(Path.GetFileNameWithoutExtension(file), File.ReadAllText(file, Encoding.UTF8));
}

using System.Collections.Immutable;
using Assay.Cli.Configuration;

namespace Assay.Cli.Channels;

/// <summary>Reads the members of one map of a configuration: each fault is told with its line, and an unknown key is one.</summary>
/// <param name="map">The members.</param>
/// <param name="section">Their section, with a dot behind it; empty at the top.</param>
/// <param name="refuse">Takes line and problem of each fault.</param>
internal sealed class ConfigReader(ConfigMap map, string section, Action<int, string> refuse)
{
    /// <summary>Where the map begins.</summary>
    public int Line => map.Line;

    public bool Has(string key) => Find(key) is not null;

    public int LineOf(string key) => Find(key)?.Line ?? map.Line;

    public void Refuse(int line, string problem) => refuse(line, problem);

    public void RequireKnown(string[] known)
    {
        foreach (var member in map.Members.Where(member => !known.Contains(member.Key)))
        {
            refuse(member.Line, $"{section}{Printable.Of(member.Key)}: is not a key{Nearest.Asked(member.Key, known)}; they are {string.Join(", ", known)}");
        }
    }

    public void RequireVersion()
    {
        if (Find("version") is not { } version)
        {
            refuse(map.Line, "version: is missing, 1 is expected");
        }
        else if (version.Value is not ConfigScalar { IsQuoted: false, Text: "1" })
        {
            refuse(version.Line, "version: 1 is expected");
        }
    }

    /// <summary>Null where it is absent, or at fault.</summary>
    public string? Text(string key, bool isRequired = false)
    {
        if (Find(key) is not { } member)
        {
            if (isRequired)
            {
                refuse(map.Line, $"{section}{key}: is missing");
            }

            return null;
        }

        return Text(key, member.Value);
    }

    public string? Word(string key, string[] words)
    {
        var text = Text(key);
        if (text is null || words.Contains(text))
        {
            return text;
        }

        refuse(LineOf(key), $"{section}{key}: one of {string.Join(", ", words)} is expected, found \"{Printable.Of(text)}\"");
        return null;
    }

    /// <summary>One at least; empty where it is absent, or at fault.</summary>
    public ImmutableArray<string> Texts(string key)
    {
        if (Find(key) is not { } member)
        {
            return [];
        }

        if (member.Value is not ConfigList { Items.IsEmpty: false } list)
        {
            refuse(member.Line, $"{section}{key}: a list with one value at least is expected");
            return [];
        }

        return [.. list.Items.Select(item => Text(key, item)).OfType<string>()];
    }

    public bool Flag(string key)
    {
        var member = Find(key);
        if (member is null or { Value: ConfigScalar { IsQuoted: false, Text: "true" or "false" } })
        {
            return member is { Value: ConfigScalar { Text: "true" } };
        }

        refuse(member.Line, $"{section}{key}: true or false is expected");
        return false;
    }

    public ConfigReader? Map(string key, string missing)
    {
        if (Find(key) is not { } member)
        {
            refuse(map.Line, missing);
            return null;
        }

        if (member.Value is ConfigMap inner)
        {
            return new ConfigReader(inner, $"{section}{key}.", refuse);
        }

        refuse(member.Line, $"{section}{key}: keys with values are expected");
        return null;
    }

    private ConfigMember? Find(string key) => map.Members.FirstOrDefault(member => member.Key == key);

    private string? Text(string key, ConfigNode node)
    {
        if (node is ConfigScalar { MayBeText: true, Text.Length: > 0 } scalar && !scalar.Text.Any(char.IsControl))
        {
            return scalar.Text;
        }

        refuse(node.Line, $"{section}{key}: text is expected");
        return null;
    }
}

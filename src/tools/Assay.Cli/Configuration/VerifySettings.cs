using System.Collections.Immutable;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Security.Cryptography;
using Assay.Cli.Verify;
using Assay.Policy;
using Assay.Wire;

namespace Assay.Cli.Configuration;

/// <summary>
/// The command line of <c>assay verify</c> with what the file of <c>--config</c> and the variables ASSAY_… add: the file is replaced by
/// variables, and both by options. What is expected comes from the file or an option alone.
/// </summary>
internal sealed class VerifySettings
{
    private const string DangerousVariables = "ASSAY_DANGEROUSLY";

    private readonly ImmutableArray<ConfigKey> _keys;
    private readonly VerifyOptions _options;
    private readonly ParseResult _given;
    private readonly List<(string Id, string Message)> _faults = [];
    private readonly Dictionary<Option, Stated> _stated = [];
    private readonly HashSet<Option> _repeated = [];
    private string? _file;

    private VerifySettings(VerifyOptions options, ParseResult given) => (_options, _given, _keys, Parsed) = (options, given, VerifyKeys.Of(options), given);

    /// <summary>The command line that counts.</summary>
    public ParseResult Parsed { get; private set; }

    /// <summary>All that is wrong with the file and the variables.</summary>
    public IReadOnlyList<(string Id, string Message)> Faults => _faults;

    /// <summary>What the verdict says of the file; null where none is given.</summary>
    public VerdictConfiguration? Configuration { get; private set; }

    public static VerifySettings Read(VerifyOptions options, ParseResult given, IReadOnlyDictionary<string, string> variables)
    {
        var settings = new VerifySettings(options, given);
        settings.Apply(variables);
        return settings;
    }

    /// <summary>The message of a fault about a value of the file, with its line: that of the option or file which the message names first.</summary>
    public string Located(string message)
    {
        var named = _stated.Where(item => item.Value.Line > 0)
            .Select(item => (item.Value.Line, item.Value.Key.Path, Place: Words(item.Key, item.Value).Select(word => PlaceOf(message, word)).Where(place => place >= 0).DefaultIfEmpty(int.MaxValue).Min()))
            .Where(item => item.Place < int.MaxValue).ToArray();
        if (named.Length == 0)
        {
            return message;
        }

        // Two files of one name in different folders cannot be told apart: both lines are named.
        var first = named.Min(item => item.Place);
        return $"{message} ({_file}:{string.Join(", ", named.Where(item => item.Place == first).OrderBy(item => item.Line).Select(item => $"{item.Line}: {item.Path}"))})";
    }

    // Of values only names of files are told again as they are: other words stand in messages about anything.
    private static IEnumerable<string> Words(Option option, Stated stated) =>
        stated.Key.Kind is ConfigKind.Path or ConfigKind.Paths ? [option.Name, .. stated.Values, .. stated.Values.Select(InputFile.NameOf).Where(name => name.Length > 0)] : [option.Name];

    // As a word: "rim" is not in "--rim-url", nor "a.json" in "data.json".
    private static int PlaceOf(string message, string word)
    {
        static bool IsPart(char letter) => char.IsLetterOrDigit(letter) || letter is '-' or '_' or '/' or '.';
        for (var place = message.IndexOf(word, StringComparison.Ordinal); place >= 0; place = message.IndexOf(word, place + 1, StringComparison.Ordinal))
        {
            var end = place + word.Length;
            if ((place == 0 || !IsPart(message[place - 1])) && (end == message.Length || !IsPart(message[end]) || (message[end] is '.' && (end + 1 == message.Length || message[end + 1] == ' '))))
            {
                return place;
            }
        }

        return -1;
    }

    private void Apply(IReadOnlyDictionary<string, string> variables)
    {
        ReadFile();
        // What an option repeats is no departure, and neither is how the verdict is printed.
        var departures = _keys.Where(key => key.Option != _options.Format && key.Option != _options.Verbose && IsGiven(key.Option) && !_repeated.Contains(key.Option)).Select(key => key.Option.Name).Distinct().ToList();
        if (IsGiven(_options.FailOnWeakened))
        {
            departures.Add(_options.FailOnWeakened.Name);
        }

        departures.AddRange(ReadVariables(variables));
        if (Configuration is { } configuration)
        {
            Configuration = configuration with { Departures = [.. departures.Order(StringComparer.Ordinal)] };
        }

        if (_stated.Count == 0)
        {
            return;
        }

        // The command line as it was given, option by option, and what is added.
        var words = _given.CommandResult.Children.OfType<OptionResult>().Where(result => !result.Implicit)
            .SelectMany(result => result.Tokens.Count == 0 ? [result.Option.Name] : result.Tokens.SelectMany(token => Words(result.Option.Name, token.Value)))
            .Concat(_stated.SelectMany(item => item.Value.Values.SelectMany(value => Words(item.Key.Name, value))));
        Parsed = _given.CommandResult.Command.Parse([.. words], new ParserConfiguration { ResponseFileTokenReplacer = null });
        _faults.AddRange(Parsed.Errors.Select(error => ("cli.config", Located(error.Message.ReplaceLineEndings(" ")))));
    }

    private static IEnumerable<string> Words(string option, string value) => value.StartsWith('-') ? [$"{option}={value}"] : [option, value];

    private bool IsGiven(Option option) => _given.GetResult(option) is { Implicit: false };

    // An option answers for every other that answers the same question.
    private bool IsAnswered(ConfigKey key) => (IsGiven(key.Option) && !key.AddsUp) || (key.Question is { } question
        && (_keys.Any(other => other.Question == question && IsGiven(other.Option)) || (question == "weakened" && IsGiven(_options.FailOnWeakened))));

    private void ReadFile()
    {
        if (_given.GetValue(_options.Config) is not { } path)
        {
            return;
        }

        _file = InputFile.NameOf(path);
        if (path == "-")
        {
            _faults.Add(("cli.config", "--config: a file is expected; what it names is looked for beside it"));
        }
        else if (!InputFile.TryReadEveryByte(path, ConfigText.MostBytes, out var bytes, out var whyNot))
        {
            _faults.Add(("cli.file", $"--config: {whyNot}"));
        }
        else if (WrongFile.KindElsewhere(bytes))
        {
            _faults.Add(("cli.config", WrongFile.Message(_file, "--config", "what is expected, in YAML or JSON (assay init writes one)", bytes, "")));
        }
        else if (!ConfigText.TryParse(bytes, out var root, out var fault))
        {
            Refuse(fault.Line, fault.Problem);
        }
        else
        {
            Configuration = new VerdictConfiguration(path, new Digest(SHA384.HashData(bytes)), []);
            ReadRoot(root, Path.GetDirectoryName(path) ?? "");
        }
    }

    private void ReadRoot(ConfigMap root, string folder)
    {
        if (root.Members.FirstOrDefault(member => member.Key == "version") is not { } version)
        {
            Refuse(root.Line, $"version: is missing, {VerifyKeys.Version} is expected");
        }
        else if (version.Value is not ConfigScalar { IsQuoted: false, Text: "1" })
        {
            Refuse(version.Line, $"version: {VerifyKeys.Version} is expected");
        }

        foreach (var section in root.Members.Where(member => member.Key != "version"))
        {
            if (!VerifyKeys.Sections.Any(known => known.Name == section.Key))
            {
                Refuse(section.Line, $"{Printable.Of(section.Key)}: is not a section{Nearest.Asked(section.Key, VerifyKeys.Sections.Select(known => known.Name))}; they are version, {string.Join(", ", VerifyKeys.Sections.Select(known => known.Name))}");
                continue;
            }

            // A section whose keys are all commented out is empty.
            if (section.Value is ConfigScalar { IsQuoted: false, Text: "" or "~" or "null" })
            {
                continue;
            }

            if (section.Value is not ConfigMap map)
            {
                Refuse(section.Line, $"{section.Key}: keys with values are expected");
                continue;
            }

            foreach (var member in map.Members)
            {
                ReadMember(section.Key, member, folder);
            }
        }
    }

    private void ReadMember(string section, ConfigMember member, string folder)
    {
        var known = _keys.Where(key => key.Section == section).ToArray();
        if (known.FirstOrDefault(key => key.Name == member.Key) is not { } key)
        {
            Refuse(member.Line, $"{section}.{Printable.Of(member.Key)}: is not a key{Nearest.Asked(member.Key, known.Select(item => item.Name))}; of {section} they are {string.Join(", ", known.Select(item => item.Name))}");
            return;
        }

        var values = Values(key, member, folder);
        if (IsGiven(key.Option) && !key.AddsUp && key.PartOf is null && string.Join('\0', _given.GetResult(key.Option)!.Tokens.Select(token => token.Value)) == string.Join('\0', values))
        {
            _repeated.Add(key.Option);
        }

        // A switch that is off says what holds without it; an option given as false would count as given.
        if (Contradicts(key, member.Line) || IsAnswered(key) || (key.Kind is ConfigKind.Switch && values is ["false"]))
        {
            return;
        }

        State(key, member.Line, values);
    }

    private List<string> Values(ConfigKey key, ConfigMember member, string folder)
    {
        if (!key.IsList)
        {
            return Value(key, member.Value, folder) is { } value ? [value] : [];
        }

        if (member.Value is not ConfigList list)
        {
            Refuse(member.Line, $"{key.Path}: a list is expected");
            return [];
        }

        var values = list.Items.Select(item => Value(key, item, folder)).OfType<string>().ToList();
        if (values.Distinct(StringComparer.Ordinal).Count() != values.Count)
        {
            Refuse(member.Line, $"{key.Path}: a value is given twice");
        }

        if (list.Items.IsEmpty && key.PartOf is null)
        {
            Refuse(member.Line, $"{key.Path}: an empty list says nothing: leave the key out");
        }

        return values;
    }

    // An option must not drop an expectation that it does not name.
    private bool Contradicts(ConfigKey key, int line)
    {
        if (key.PartOf is { Length: > 0 } named && IsGiven(key.Option) && !string.Join(',', _given.GetResult(key.Option)!.Tokens.Select(token => token.Value)).Contains($"{named}=", StringComparison.Ordinal))
        {
            Refuse(line, $"{key.Path}: {key.Option.Name} is given and does not say {named}: it replaces all counts, so state {named}=… there too");
            return true;
        }

        if (key.Question == "weakened" && IsGiven(_options.FailOnWeakened))
        {
            Refuse(line, $"{key.Path}: {_options.FailOnWeakened.Name} is given too, and accepts other weakenings: use {key.Option.Name}");
            return true;
        }

        return false;
    }

    private void State(ConfigKey key, int line, List<string> values)
    {
        if (key.PartOf is { Length: 0 })
        {
            values = [string.Join(',', values)];
        }

        // Two keys of one option make one value of it.
        if (key.PartOf is { Length: > 0 } && values is [var part])
        {
            values = [_stated.TryGetValue(key.Option, out var other) ? $"{other.Values[0]},{key.PartOf}={part}" : $"{key.PartOf}={part}"];
        }

        if (values.Count > 0)
        {
            _stated[key.Option] = new Stated(key, line, [.. values]);
        }
    }

    private string? Value(ConfigKey key, ConfigNode node, string folder)
    {
        if (node is not ConfigScalar scalar)
        {
            Refuse(node.Line, $"{key.Path}: {Expected(key)} is expected");
            return null;
        }

        var holds = key.Kind switch
        {
            ConfigKind.Number => !scalar.IsQuoted && scalar.Text is "0" or [not '0', ..] && long.TryParse(scalar.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= key.Least && number <= key.Most,
            ConfigKind.Switch => !scalar.IsQuoted && scalar.Text is "true" or "false",
            ConfigKind.Word or ConfigKind.Words => scalar.MayBeText && key.Allowed.Contains(scalar.Text),
            _ => scalar.MayBeText && scalar.Text.Length > 0 && !scalar.Text.Any(char.IsControl),
        };
        if (!holds)
        {
            Refuse(scalar.Line, $"{key.Path}: {Expected(key)} is expected, found {(scalar.IsQuoted || scalar.MayBeText ? $"\"{Printable.Of(scalar.Text)}\"" : scalar.Text.Length == 0 ? "nothing" : Printable.Of(scalar.Text))}");
            return null;
        }

        if (key.Kind is not (ConfigKind.Path or ConfigKind.Paths))
        {
            return scalar.Text;
        }

        if (scalar.Text == "-")
        {
            Refuse(scalar.Line, $"{key.Path}: a file is expected, not standard input");
            return null;
        }

        return Path.Combine(folder, scalar.Text);
    }

    private static string Expected(ConfigKey key) => key.Kind switch
    {
        ConfigKind.Number => OptionValues.Number(key.Least, key.Most),
        ConfigKind.Switch => "true or false",
        ConfigKind.Word or ConfigKind.Words => $"one of {string.Join(", ", key.Allowed)}",
        ConfigKind.Path or ConfigKind.Paths => "the name of a file or folder",
        _ => "text",
    };

    /// <summary>The names of those that took the place of a value of the file.</summary>
    private List<string> ReadVariables(IReadOnlyDictionary<string, string> variables)
    {
        foreach (var name in variables.Keys.Where(name => name.StartsWith(DangerousVariables, StringComparison.OrdinalIgnoreCase) || (name.StartsWith(ConfigKey.VariablePrefix, StringComparison.Ordinal) && _options.All.Any(option => ConfigKey.VariableOf(option) == name && !_keys.Any(key => key.Option == option && key.MayBeVariable)))).Order(StringComparer.Ordinal))
        {
            _faults.Add(("cli.environment", $"{Printable.Of(name)}: variables set addresses, folders and output alone; what is expected, and what is judged, comes from an option or from --config FILE: unset it"));
        }

        var given = new Dictionary<Option, Stated>();
        foreach (var key in _keys.Where(key => key.MayBeVariable && !IsAnswered(key)))
        {
            if (!variables.TryGetValue(key.Variable, out var value) || value.Length == 0)
            {
                continue;
            }

            if ((key.Kind is ConfigKind.Word && !key.Allowed.Contains(value)) || (key.Kind is ConfigKind.Switch && value is not ("true" or "false")))
            {
                _faults.Add(("cli.environment", $"{key.Variable}: {Expected(key)} is expected, found \"{Printable.Of(value)}\""));
                continue;
            }

            given[key.Option] = new Stated(key, 0, [value]);
            foreach (var other in _keys.Where(other => other.Question is not null && other.Question == key.Question && !given.ContainsKey(other.Option)))
            {
                _stated.Remove(other.Option);
            }
        }

        foreach (var (option, stated) in given)
        {
            _stated[option] = stated;
        }

        return [.. given.Values.Where(stated => stated.Key.Option != _options.Format && stated.Key.Option != _options.Verbose).Select(stated => stated.Key.Variable)];
    }

    private void Refuse(int line, string problem) => _faults.Add(("cli.config", $"{_file}:{line}: {problem}"));

    /// <summary>What the file or a variable says of an option.</summary>
    /// <param name="Key">Its key.</param>
    /// <param name="Line">In the file; 0 for a variable.</param>
    /// <param name="Values">As the option takes them.</param>
    private sealed record Stated(ConfigKey Key, int Line, ImmutableArray<string> Values);
}

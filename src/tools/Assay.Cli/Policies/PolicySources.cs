using System.Collections.Immutable;
using System.Text;
using Assay.Rego;
using Assay.Rego.Diagnostics;
using Assay.Rego.Syntax;

namespace Assay.Cli.Policies;

/// <summary>Files with Rego in them, read and parsed. The faults of all files are found before one is reported.</summary>
internal sealed class PolicySources
{
    // A folder of policies has dozens.
    public const int MostFiles = 1000;

    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly List<RegoModule> _modules = [];
    private readonly List<RegoError> _errors = [];
    private readonly List<(string Id, string Message)> _unread = [];

    private PolicySources()
    {
    }

    public IReadOnlyList<RegoModule> Modules => _modules;

    /// <summary>Errors of the parser.</summary>
    public IReadOnlyList<RegoError> Errors => _errors;

    /// <summary>Files that could not be read at all.</summary>
    public IReadOnlyList<(string Id, string Message)> Unread => _unread;

    public bool AllRead => _unread.Count == 0 && _errors.Count == 0;

    public static PolicySources Read(IEnumerable<string> paths, RegoVersion version)
    {
        var sources = new PolicySources();
        var files = paths.Distinct(StringComparer.Ordinal).ToImmutableArray();
        if (files.Length > MostFiles)
        {
            sources._unread.Add(("cli.policy", $"{files.Length} policy files are given, at most {MostFiles} are read"));
            return sources;
        }

        foreach (var file in files)
        {
            sources.Add(file, version);
        }

        return sources;
    }

    private void Add(string file, RegoVersion version)
    {
        if (!InputFile.TryRead(file, RegoPolicy.MostBytes, out var bytes, out var whyNot))
        {
            _unread.Add(("cli.file", whyNot));
            return;
        }

        string text;
        try
        {
            text = s_strict.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            _unread.Add(("policy.malformed", $"{file}: not UTF-8"));
            return;
        }

        if (RegoModule.TryParse(file == "-" ? InputFile.NameOf(file) : file, text, out var module, out var error, version))
        {
            _modules.Add(module);
        }
        else
        {
            _errors.Add(error);
        }
    }
}

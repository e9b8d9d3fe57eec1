using Assay.Rego.Diagnostics;
using Assay.Rego.Syntax;

namespace Assay.Rego.Compilation;

/// <summary>Collects compile errors; after a dozen there is no sense in more.</summary>
internal sealed class Errors
{
    private const int Most = 12;
    private readonly List<RegoError> _errors = [];

    public bool Any => _errors.Count > 0;

    public bool Full => _errors.Count >= Most;

    public IReadOnlyList<RegoError> All => [.. _errors.OrderBy(error => error.Location?.File, StringComparer.Ordinal).ThenBy(error => error.Location?.Line).ThenBy(error => error.Location?.Column)];

    public void Add(RegoErrorCode code, Source source, Position at, string message)
    {
        if (_errors.Count < Most)
        {
            var error = source.Error(code, at, message);
            if (!_errors.Contains(error))
            {
                _errors.Add(error);
            }
        }
    }

    public void Add(RegoError error) => _errors.Add(error);
}

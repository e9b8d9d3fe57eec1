using System.Collections.Immutable;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Collateral.Files;

/// <summary>
/// A folder with OCSP responses in DER, hexadecimal or base64, whatever their names: they are found by CertID. Files that are no OCSP response are passed over;
/// which ones is told when an answer is missing. A wrong folder is an error of every answer, with its path.
/// </summary>
public sealed class DirectoryOcspStore : ICollateralSource
{
    private const int MostFiles = 10_000;

    private readonly string _folder;
    private readonly Lazy<(ImmutableArray<(OcspResponse Response, ReadOnlyMemory<byte> Bytes)> Responses, ImmutableArray<string> PassedOver, string? WhyNot)> _content;

    /// <summary>Reads the folder at first use.</summary>
    public DirectoryOcspStore(string folder)
    {
        _folder = folder;
        _content = new(Read);
    }

    /// <inheritdoc/>
    public Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(question);
        if (question.Status is not { } query)
        {
            return Task.FromResult(Fetched.Absent("", "a folder of OCSP responses answers only about certificates"));
        }

        if (WhyNot is { } wrong)
        {
            return Task.FromResult(Fetched.Failed(_folder, wrong));
        }

        ImmutableArray<CollateralItem> items =
        [
            .. _content.Value.Responses
                .Where(candidate => candidate.Response.Basic?.Responses.Any(single => single.CertId.Matches(query.Certificate, query.Issuer)) ?? false)
                .Select(candidate => new CollateralItem(candidate.Bytes)),
        ];
        var passedOver = _content.Value.PassedOver;
        var note = passedOver.IsEmpty ? "" : $" (passed over: {string.Join(", ", passedOver.Take(3))}{(passedOver.Length > 3 ? ", …" : "")})";
        return Task.FromResult(items.IsEmpty
            ? Fetched.Absent(_folder, $"{_folder} has no OCSP response for serial number {query.Subject.SerialNumber} of {query.Issuer.Subject.CommonName}{note}")
            : Fetched.Of(_folder, items));
    }

    /// <summary>Why the folder cannot be read; null when it can.</summary>
    internal string? WhyNot => _content.Value.WhyNot;

    /// <summary>Of the responses that answer exactly this CertID the newest, of those with one thisUpdate one that is not good; null when there is none.</summary>
    internal ReadOnlyMemory<byte>? Find(OcspCertId asked) =>
        (from candidate in _content.Value.Responses
         from single in candidate.Response.Basic?.Responses ?? []
         where single.CertId.Equals(asked)
         orderby single.ThisUpdate descending, Severity(single.Status.Status) descending
         select (ReadOnlyMemory<byte>?)candidate.Bytes).FirstOrDefault();

    private static int Severity(CertificateStatus status) => status switch
    {
        CertificateStatus.Good => 0,
        CertificateStatus.Revoked => 2,
        _ => 1,
    };

    private (ImmutableArray<(OcspResponse, ReadOnlyMemory<byte>)>, ImmutableArray<string>, string?) Read()
    {
        if (StoreFolder.WhyNot(_folder) is { } wrong)
        {
            return ([], [], wrong);
        }

        var responses = ImmutableArray.CreateBuilder<(OcspResponse, ReadOnlyMemory<byte>)>();
        var passedOver = ImmutableArray.CreateBuilder<string>();
        try
        {
            string[] files = [.. Directory.EnumerateFiles(_folder).Take(MostFiles + 1).Order(StringComparer.Ordinal)];
            if (files.Length > MostFiles)
            {
                // Some of them may be newer than those that would be read, and say "revoked".
                return ([], [], $"{_folder} has more than {MostFiles} files");
            }

            foreach (var file in files)
            {
                if (BoundedFile.TryRead(file, 3 * Limits.OcspResponseBytes, out var text, out _) && FileContent.Of(text.Span).Bytes is var bytes && OcspResponse.TryParse(bytes.Span, out var response, out _))
                {
                    responses.Add((response, bytes));
                }
                else
                {
                    passedOver.Add(Path.GetFileName(file));
                }
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return ([], [], $"the folder {_folder} cannot be read: {exception.Message}");
        }

        return (responses.ToImmutable(), passedOver.ToImmutable(), null);
    }
}

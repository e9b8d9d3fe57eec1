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

        var items = Newest(id => id.Matches(query.Certificate, query.Issuer));
        var passedOver = _content.Value.PassedOver;
        var note = passedOver.IsEmpty ? "" : $" (passed over: {string.Join(", ", passedOver.Take(3))}{(passedOver.Length > 3 ? ", …" : "")})";
        return Task.FromResult(items.IsEmpty
            ? Fetched.Absent(_folder, $"{_folder} has no OCSP response for serial number {query.Subject.SerialNumber} of {query.Issuer.Subject.CommonName}{note}")
            : Fetched.Of(_folder, items));
    }

    /// <summary>Why the folder cannot be read; null when it can.</summary>
    internal string? WhyNot => _content.Value.WhyNot;

    /// <summary>The responses that answer exactly this CertID, the newest first, of those with one thisUpdate the worst; none where there is none.</summary>
    internal ImmutableArray<CollateralItem> Find(OcspCertId asked) => Newest(asked.Equals);

    // No time of theirs is believed: they are tried in this order until one verifies, so that a forged one hides none behind it.
    private ImmutableArray<CollateralItem> Newest(Func<OcspCertId, bool> isAsked) =>
    [
        .. (from candidate in _content.Value.Responses
            let single = (candidate.Response.Basic?.Responses ?? []).Where(single => isAsked(single.CertId)).OrderByDescending(single => single.ThisUpdate).FirstOrDefault()
            where single is not null
            orderby single.ThisUpdate descending, Severity(single.Status.Status) descending
            select new CollateralItem(candidate.Bytes)).Take(Limits.CollateralCandidates),
    ];

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

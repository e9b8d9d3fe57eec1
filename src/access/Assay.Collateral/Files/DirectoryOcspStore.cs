using System.Collections.Immutable;
using Assay.Endorsements;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Collateral.Files;

/// <summary>
/// A folder with OCSP responses in DER, whatever their names: they are found by CertID. Files that are no OCSP response are passed over;
/// which ones is told when an answer is missing.
/// </summary>
public sealed class DirectoryOcspStore : ICollateralSource
{
    private const int MostFiles = 10_000;

    private readonly string _folder;
    private readonly Lazy<(ImmutableArray<(OcspResponse Response, ReadOnlyMemory<byte> Bytes)> Responses, ImmutableArray<string> PassedOver)> _content;

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
            return Task.FromResult(Fetched.Absent("", "a folder of OCSP responses is asked about certificates alone"));
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

    /// <summary>Of the responses that answer exactly this CertID the newest; null when there is none.</summary>
    internal ReadOnlyMemory<byte>? Find(OcspCertId asked) =>
        (from candidate in _content.Value.Responses
         from single in candidate.Response.Basic?.Responses ?? []
         where single.CertId.Equals(asked)
         orderby single.ThisUpdate descending
         select (ReadOnlyMemory<byte>?)candidate.Bytes).FirstOrDefault();

    private (ImmutableArray<(OcspResponse, ReadOnlyMemory<byte>)>, ImmutableArray<string>) Read()
    {
        var responses = ImmutableArray.CreateBuilder<(OcspResponse, ReadOnlyMemory<byte>)>();
        var passedOver = ImmutableArray.CreateBuilder<string>();
        try
        {
            string[] files = [.. Directory.EnumerateFiles(_folder).Take(MostFiles + 1).Order(StringComparer.Ordinal)];
            if (files.Length > MostFiles)
            {
                // Some of them may be newer than those that would be read, and say "revoked".
                return ([], [$"all, for there are more than {MostFiles} files"]);
            }

            foreach (var file in files)
            {
                if (BoundedFile.TryRead(file, Limits.OcspResponseBytes, out var bytes, out _) && OcspResponse.TryParse(bytes.Span, out var response, out _))
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
            passedOver.Add(exception.Message);
        }

        return (responses.ToImmutable(), passedOver.ToImmutable());
    }
}

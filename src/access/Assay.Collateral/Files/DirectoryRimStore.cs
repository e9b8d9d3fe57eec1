using System.Collections.Immutable;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Reference;
using Assay.Wire;

namespace Assay.Collateral.Files;

/// <summary>A folder with files <c>&lt;id&gt;.xml</c>, as <c>nvattest --rim-store dir</c> has it. A wrong folder is an error of every answer, with its path.</summary>
/// <param name="folder">The folder.</param>
public sealed class DirectoryRimStore(string folder) : ICollateralSource
{
    private const string Extension = ".xml";

    /// <summary>A RIM with a byte order mark, or what a service answers: the RIM in base64 and more, which is named as what it is.</summary>
    private const int MostBytes = 2 * Limits.RimBytes;

    /// <inheritdoc/>
    public Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(question);
        return Task.FromResult(question.Key.Kind is CollateralKind.Rim ? Fetch(question.Key.Id) : Fetched.Absent("", "a folder of RIMs contains only RIMs"));
    }

    /// <inheritdoc/>
    public Task<ImmutableArray<string>> ListRimsAsync(CancellationToken cancellation)
    {
        const int most = 10_000;
        try
        {
            ImmutableArray<string> ids = [.. Directory.EnumerateFiles(folder, "*" + Extension).Take(most).Select(file => Path.GetFileNameWithoutExtension(file)).Where(RimIds.IsSafe).Order(StringComparer.Ordinal)];
            return Task.FromResult(ids);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return Task.FromResult(ImmutableArray<string>.Empty);
        }
    }

    private Fetched<CollateralItem> Fetch(string id)
    {
        // The id follows from what a device said: it must not leave the folder.
        if (!RimIds.IsSafe(id))
        {
            return Fetched.Failed("", "the id is not a valid file name");
        }

        var path = Path.Combine(folder, id + Extension);
        if (!File.Exists(path))
        {
            // A folder that is not there lacks no RIM: it is the wrong one.
            if (StoreFolder.WhyNot(folder) is { } wrong)
            {
                return Fetched.Failed(folder, wrong);
            }

            var corim = File.Exists(Path.Combine(folder, id + ".corim"));
            return Fetched.Absent(folder, corim ? $"{folder} has it as CoRIM only, which this version does not support" : $"{path} does not exist");
        }

        if (!BoundedFile.TryRead(path, MostBytes, out var bytes, out var whyNot))
        {
            return Fetched.Failed(folder, whyNot);
        }

        // What is no XML is named here: to the verifier it would be a malformed RIM. XML it judges itself.
        var content = FileContent.Of(bytes.Span);
        return content.Kind is ContentKind.Rim or ContentKind.Xml ? Fetched.Item(folder, content.Bytes) : Fetched.Failed(folder, $"{path}: this is {content.Phrase}; a RIM (XML) is expected");
    }
}

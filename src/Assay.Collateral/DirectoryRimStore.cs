using System.Collections.Immutable;
using Assay.Reference;
using Assay.Wire;

namespace Assay.Collateral;

/// <summary>A folder with files <c>&lt;id&gt;.xml</c>, as <c>nvattest --rim-store dir</c> has it.</summary>
public sealed class DirectoryRimStore(string folder) : IRimSource
{
    private const string Extension = ".xml";

    /// <inheritdoc/>
    public async Task<RimAnswer> FetchAsync(string id, CancellationToken cancellation)
    {
        // The id follows from what a device said: it must not leave the folder.
        if (!RimIds.IsSafe(id))
        {
            return RimAnswer.None("the id is no file name");
        }

        var path = Path.Combine(folder, id + Extension);
        var file = new FileInfo(path);
        if (!file.Exists)
        {
            var corim = File.Exists(Path.Combine(folder, id + ".corim"));
            return RimAnswer.None(corim ? $"{folder} has it as CoRIM only, which this version does not read" : $"{path} does not exist");
        }

        if (file.Length > Limits.RimBytes)
        {
            return RimAnswer.None($"{path} is larger than {Limits.RimBytes} bytes");
        }

        try
        {
            return RimAnswer.Of(await File.ReadAllBytesAsync(path, cancellation).ConfigureAwait(false));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return RimAnswer.None($"{path} cannot be read: {exception.Message}");
        }
    }

    /// <inheritdoc/>
    public Task<ImmutableArray<string>> ListAsync(CancellationToken cancellation)
    {
        const int most = 10_000;
        try
        {
            ImmutableArray<string> ids = [.. Directory.EnumerateFiles(folder, "*" + Extension).Take(most).Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal)];
            return Task.FromResult(ids);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return Task.FromResult(ImmutableArray<string>.Empty);
        }
    }
}

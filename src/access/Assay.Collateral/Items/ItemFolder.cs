using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Assay.Collateral.Files;
using Assay.Endorsements;
using Assay.Wire;

namespace Assay.Collateral.Items;

/// <summary>
/// A folder with one file for each item: a line of JSON, the chain, the body. A file appears whole or not at all: it is written beside its
/// place, flushed, and renamed; one that is damaged is set aside.
/// </summary>
internal sealed class ItemFolder
{
    private const string Extension = ".item";
    private const string Unfinished = ".new";
    private const string Damaged = ".damaged";
    private const int MostFiles = 1_000_000;

    private readonly string _folder;
    private int _written;

    public ItemFolder(string folder)
    {
        _folder = Path.GetFullPath(folder);
        StoreFolder.Create(_folder);
    }

    /// <summary>The headers of all items, with the length of their files. What a killed process left half-written is removed.</summary>
    public IEnumerable<(ItemHeader Header, long Length)> Scan()
    {
        foreach (var kind in CollateralKinds.All)
        {
            var folder = Path.Combine(_folder, CollateralKinds.NameOf(kind));
            if (!Directory.Exists(folder))
            {
                continue;
            }

            foreach (var file in Directory.EnumerateFiles(folder).Take(MostFiles))
            {
                if (file.EndsWith(Unfinished, StringComparison.Ordinal))
                {
                    TryDelete(file);
                }
                else if (file.EndsWith(Extension, StringComparison.Ordinal) && ReadHeader(file) is { } found)
                {
                    yield return found;
                }
            }
        }
    }

    /// <summary>Chain and body of an item, as they were written. A file that is not what its header says is set aside.</summary>
    public bool TryRead(CollateralKey key, [NotNullWhen(true)] out ItemHeader? header, out ReadOnlyMemory<byte> chain, out ReadOnlyMemory<byte> body)
    {
        (header, chain, body) = (null, default, default);
        var path = PathOf(key);
        if (!File.Exists(path) || !BoundedFile.TryRead(path, ItemHeader.MostBytes + Limits.ChainTextBytes + Limits.CrlBytes, out var bytes, out _))
        {
            return false;
        }

        var end = bytes.Span.IndexOf((byte)'\n');
        if (end < 0 || end > ItemHeader.MostBytes || !ItemHeader.TryParse(bytes[..end], out header, out _)
            || header.Key != key || bytes.Length - end - 1 != (long)header.ChainLength + header.BodyLength)
        {
            SetAside(key);
            header = null;
            return false;
        }

        chain = bytes.Slice(end + 1, header.ChainLength);
        body = bytes[(end + 1 + header.ChainLength)..];
        if (ItemHeader.DigestOf(chain.Span, body.Span) == header.Sha256)
        {
            return true;
        }

        SetAside(key);
        header = null;
        return false;
    }

    /// <summary>Writes an item in the place of the one that was there. Throws <see cref="IOException"/> when the disk does not take it.</summary>
    public long Write(ItemHeader header, ReadOnlyMemory<byte> chain, ReadOnlyMemory<byte> body)
    {
        var path = PathOf(header.Key);
        OwnFile.CreateFolder(Path.GetDirectoryName(path)!);
        var unfinished = $"{path}.{Environment.ProcessId}.{Interlocked.Increment(ref _written)}{Unfinished}";
        try
        {
            var line = header.ToLine();
            using (var stream = OwnFile.Open(unfinished, FileMode.CreateNew))
            {
                stream.Write(line);
                stream.Write(chain.Span);
                stream.Write(body.Span);
                stream.Flush(flushToDisk: true);
            }

            File.Move(unfinished, path, overwrite: true);
            return line.Length + chain.Length + body.Length;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            TryDelete(unfinished);
            throw exception as IOException ?? new IOException(exception.Message, exception);
        }
    }

    /// <summary>Keeps a damaged file for whoever wants to know, out of the way: the last one of its key.</summary>
    public void SetAside(CollateralKey key)
    {
        var path = PathOf(key);
        try
        {
            File.Move(path, path + Damaged, overwrite: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            TryDelete(path);
        }
    }

    public void Remove(CollateralKey key) => TryDelete(PathOf(key));

    // Ids are long and may have slashes: the file is named by their hash, and the header names the item.
    internal string PathOf(CollateralKey key) =>
        Path.Combine(_folder, CollateralKinds.NameOf(key.Kind), Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key.Id)).AsSpan(0, 20)) + Extension);

    private (ItemHeader Header, long Length)? ReadHeader(string file)
    {
        try
        {
            using var stream = BoundedFile.Open(file);
            var buffer = new byte[(int)Math.Min(ItemHeader.MostBytes, stream.Length)];
            var read = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            var end = buffer.AsSpan(0, read).IndexOf((byte)'\n');
            // The file must also stand where its key would be looked for.
            return end >= 0 && ItemHeader.TryParse(buffer.AsMemory(0, end), out var header, out _) && PathOf(header.Key) == file ? (header, stream.Length) : Unreadable(file);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static (ItemHeader, long)? Unreadable(string file)
    {
        try
        {
            File.Move(file, file + Damaged, overwrite: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            TryDelete(file);
        }

        return null;
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It stays, and is looked at again with the next start.
        }
    }
}

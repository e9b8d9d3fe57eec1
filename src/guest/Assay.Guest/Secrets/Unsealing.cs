using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Assay.Client.Guest;
using Assay.Sealing;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;
using Assay.Sealing.Packs;

namespace Assay.Guest.Secrets;

/// <summary>
/// <c>assay-guest unseal</c>: opens a file that was sealed to a release key of this user (docs/reference/sealing.md). The release key stays in the agent, the
/// data key crosses only wrapped for this process, and the content goes to memory without a name or to one new file.
/// </summary>
internal static class Unsealing
{
    private const UnixFileMode OwnerAlone = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private static readonly TimeSpan s_silent = TimeSpan.FromSeconds(1);

    /// <summary>Runs a command in the place of this process, with the content as its standard input.</summary>
    /// <exception cref="GuestException">Nothing was run: the file does not open, or there is no such command.</exception>
    public static async Task<int> ExecuteAsync(GuestPaths paths, string file, string id, string key, string[] command, CancellationToken cancellation)
    {
        ProcessProtection.Harden();
        var memory = AnonymousFile.Create("assay-unsealed");
        // No buffer of its own: what it held would stay behind.
        var target = new FileStream(memory, FileAccess.Write, bufferSize: 0);
        await OpenAsync(paths, file, id, key, target, cancellation).ConfigureAwait(false);
        AnonymousFile.Freeze(memory);
        throw Execution.Replace(memory, command);
    }

    /// <summary>Writes the content into a new file: whole, or not at all.</summary>
    /// <exception cref="GuestException">There is no file: it does not open, or the path exists.</exception>
    public static async Task<int> ToFileAsync(GuestPaths paths, string file, string id, string key, string path, CancellationToken cancellation)
    {
        if (Path.Exists(path))
        {
            throw new GuestException("unseal.out", $"{path} exists", "give a path that does not exist");
        }

        var half = $"{path}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}";
        try
        {
            ProcessProtection.Harden();
            await using (var target = new FileStream(half, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = OwnerAlone }))
            {
                await OpenAsync(paths, file, id, key, target, cancellation).ConfigureAwait(false);
                target.Flush(flushToDisk: true);
            }

            File.Move(half, path, overwrite: false);
            return 0;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new GuestException("unseal.out", $"{path}: {exception.Message}", "give a path that can be written");
        }
        finally
        {
            File.Delete(half);
        }
    }

    private static async Task OpenAsync(GuestPaths paths, string file, string id, string key, Stream target, CancellationToken cancellation)
    {
        using var agent = new GuestAgentClient(paths.AgentSocket);
        await using var source = OpenFile(file);
        try
        {
            var jwk = await agent.GetPublicKeyAsync(key, cancellation: cancellation).ConfigureAwait(false);
            if (!SealingPublicKey.TryParse(jwk.Span, out var publicKey, out var fault) || !SealedFile.TryReadKeys(source, out var keys, out fault))
            {
                throw Refused(fault);
            }

            var own = keys.Value.FirstOrDefault(wrapped => Jwe.KeyIdOf(Encoding.ASCII.GetBytes(wrapped)) == publicKey.Thumbprint)
                ?? throw Refused(new SealingFault(SealingFaults.PackRecipient, $"{file} is sealed to {keys.Value.Length} key(s), and the key {key} of this boot ({publicKey.Thumbprint}) is not one of them", "have it sealed to the key that this VM's evidence has"));
            using var dataKey = await agent.UnwrapKeyAsync(key, own, cancellation).ConfigureAwait(false);
            if (!PackReader.TryReadStart(source, out var start, out fault) || !PackReader.TryOpen(source, start, dataKey, id, out var reader, out fault))
            {
                throw Refused(fault);
            }

            using (reader)
            {
                if (!reader.TryCopyTo(target, out fault, Progress(start.Header.Size), cancellation))
                {
                    throw Refused(fault);
                }
            }
        }
        catch (AgentException exception)
        {
            throw new GuestException(exception.Id, exception.Reason, exception.Cure);
        }
    }

    private static FileStream OpenFile(string path)
    {
        try
        {
            return Collateral.Files.BoundedFile.Open(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new GuestException("unseal.file", $"{path}: {exception.Message}", "give a file that assay seal wrote");
        }
    }

    // On a terminal alone, and only for what takes longer than a second.
    private static Action<long>? Progress(long size)
    {
        if (Console.IsErrorRedirected || size == 0)
        {
            return null;
        }

        var (watch, shown) = (Stopwatch.StartNew(), -1L);
        return done =>
        {
            var percent = 100 * done / size;
            if (watch.Elapsed > s_silent && percent != shown)
            {
                shown = percent;
                Console.Error.Write(string.Create(CultureInfo.InvariantCulture, $"\runsealing {new string('#', (int)percent / 5),-20} {percent,3} %{(percent == 100 ? "\n" : "")}"));
            }
        };
    }

    private static GuestException Refused(SealingFault fault) => new(GuestFault.Of(fault));
}
